/**
 * What the results of probes make of one run of a container: when each probe is due, and what changes by a result.
 * Pure; times are monotonic milliseconds. Source: the kubelet's prober.
 *
 *   startup probe pending ──success──► started ──► liveness and readiness probes
 *            │                                        │ liveness fails `failureThreshold` times in a row
 *            └──fails `failureThreshold` times──► failed: nothing is probed until the container runs anew
 */
import type { ContainerProbes, ProbeSpec } from '../../../model.ts'
import type { RunProgress } from '../../state/index.ts'

export type ProbeKind = keyof ContainerProbes

/** `unknown`: it could not be made, which says nothing about the container and counts for nothing. */
export type ProbeResult = 'success' | 'failure' | 'unknown'

export type Progress = Omit<RunProgress, 'hooked'>

export type Watch = {
  probes: ContainerProbes
  progress: Progress
  /** It is being stopped: only its readiness is of interest. */
  stopping: boolean
  /** When it started. */
  beganMs: number
  /** The last results of the same kind, in a row. */
  rows: { [K in ProbeKind]?: { result: ProbeResult; length: number } }
  dueMs: { [K in ProbeKind]?: number }
}

/** What is to be written down; empty where nothing has changed. */
export type Change = Partial<Progress>

const KINDS = ['startup', 'liveness', 'readiness'] as const

/**
 * Begins to watch a run. `jitter` from 0 to 1: where somebody has been probing it before, the first probes of many
 * containers are spread over their periods.
 */
export function beginWatch(
  run: Pick<Watch, 'probes' | 'progress' | 'stopping' | 'beganMs'>,
  nowMs: number,
  jitter: number,
): Watch {
  const watch: Watch = { ...run, rows: {}, dueMs: {} }
  for (const kind of KINDS) {
    const probe = run.probes[kind]
    if (probe === undefined) continue
    const firstMs = run.beganMs + probe.initialDelayMs
    watch.dueMs[kind] = firstMs + probe.periodMs <= nowMs ? nowMs + jitter * probe.periodMs : Math.max(firstMs, nowMs)
  }
  return watch
}

/** Whether a probe of this kind is made now and then. */
function isProbed({ probes, progress, stopping }: Watch, kind: ProbeKind): boolean {
  if (probes[kind] === undefined || progress.failedCheck !== undefined) return false
  if (kind === 'readiness') return progress.started
  return !stopping && progress.started === (kind === 'liveness')
}

/** The probes that are to be made now. */
export const dueProbes = (watch: Watch, nowMs: number): ProbeKind[] =>
  KINDS.filter(kind => isProbed(watch, kind) && (watch.dueMs[kind] ?? nowMs) <= nowMs)

/** When the next one is due; undefined when there is none to come. */
export function nextDueMs(watch: Watch): number | undefined {
  const due = KINDS.flatMap(kind => (isProbed(watch, kind) ? (watch.dueMs[kind] ?? []) : []))
  return due.length === 0 ? undefined : Math.min(...due)
}

/** The watch after a probe has been made: its next turn comes a period later, and turns that were missed are left out. */
export function afterProbe(watch: Watch, kind: ProbeKind, nowMs: number): Watch {
  const periodMs = watch.probes[kind]?.periodMs ?? 0
  const lastMs = watch.dueMs[kind] ?? nowMs
  const missed = Math.max(0, Math.floor((nowMs - lastMs) / Math.max(1, periodMs)))
  return { ...watch, dueMs: { ...watch.dueMs, [kind]: lastMs + (missed + 1) * Math.max(1, periodMs) } }
}

/** Takes the result of one probe into account. One that comes too late, when it is not asked for any more, is dropped. */
export function takeResult(
  watch: Watch,
  kind: ProbeKind,
  result: ProbeResult,
  nowMs: number,
): { watch: Watch; change: Change } {
  const probe = watch.probes[kind]
  if (probe === undefined || result === 'unknown' || !isProbed(watch, kind)) return { watch, change: {} }
  const row = watch.rows[kind]
  const length = row?.result === result ? row.length + 1 : 1
  const counted = { ...watch, rows: { ...watch.rows, [kind]: { result, length } } }
  if (length < thresholdOf(probe, result)) return { watch: counted, change: {} }
  const change = changed(watch.progress, verdict(watch.probes, kind, result))
  const after = { ...counted, progress: { ...watch.progress, ...change } }
  return { watch: change.started ? withFirstTurns(after, nowMs) : after, change }
}

const thresholdOf = (probe: ProbeSpec, result: ProbeResult): number =>
  result === 'success' ? probe.successThreshold : probe.failureThreshold

/** What a probe says once it has said so often enough. */
function verdict(probes: ContainerProbes, kind: ProbeKind, result: ProbeResult): Change {
  if (kind === 'readiness') return { ready: result === 'success' }
  if (result === 'failure') return { health: 'unhealthy', failedCheck: kind, ready: false }
  if (kind === 'liveness') return { health: 'healthy' }
  return {
    started: true,
    ready: probes.readiness === undefined,
    ...(probes.liveness === undefined && { health: 'healthy' as const }),
  }
}

function changed(before: Progress, said: Change): Change {
  return Object.fromEntries(Object.entries(said).filter(([key, value]) => before[key as keyof Progress] !== value))
}

/** It has just started: the others need not wait for a turn that they would have had. */
function withFirstTurns(watch: Watch, nowMs: number): Watch {
  const dueMs = { ...watch.dueMs }
  for (const kind of ['liveness', 'readiness'] as const) {
    const probe = watch.probes[kind]
    if (probe !== undefined) dueMs[kind] = Math.max(nowMs, watch.beganMs + probe.initialDelayMs)
  }
  return { ...watch, dueMs }
}
