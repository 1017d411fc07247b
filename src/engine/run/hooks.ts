/** Lifecycle hooks: postStart as a step of a start, preStop before a container is asked to stop. Source: the kubelet. */
import { isTspodError, TspodError } from '../../errors.ts'
import type { Handler } from '../../model.ts'
import { type PodWork, patch } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { type ContainerRecord, specNamed } from '../state/index.ts'
import { afterHook } from './progress.ts'

type HookName = 'postStart' | 'preStop'

/** As long as anybody may want: the kubelet has no limit either. */
const UNLIMITED_MS = 7 * 24 * 3_600_000

/** It is being ended because of a probe or hook, and not because somebody wants it stopped. */
export const isFailing = ({ pod }: PodWork, { goal, failedCheck }: ContainerRecord): boolean =>
  failedCheck !== undefined && goal === 'running' && pod.goal === 'running'

const hookOf = ({ pod }: PodWork, { shortName }: ContainerRecord, name: HookName): Handler | undefined =>
  specNamed(pod.spec, shortName)?.hooks?.[name]

/**
 * Runs the postStart hook of a container that has just started; until then it is not ready. One that fails has its
 * container ended: that is for the next plan. Somebody who was killed meanwhile leaves it to be run again.
 * @throws HOOK_FAILED, and the reason of `signal`.
 */
export async function runPostStart(work: PodWork, record: ContainerRecord, signal?: AbortSignal): Promise<void> {
  const handler = hookOf(work, record, 'postStart')
  try {
    if (handler !== undefined) await run(work, record, 'postStart', handler, UNLIMITED_MS, signal)
    patch(work, record.id, afterHook(specNamed(work.pod.spec, record.shortName)))
  } catch (error) {
    if (!isTspodError(error, 'HOOK_FAILED')) throw error
    patch(work, record.id, { failedCheck: 'postStart' })
    noteEvent(work, record, {
      action: 'hook',
      reason: 'FailedPostStartHook',
      warning: true,
      message: 'PostStartHook failed',
    })
    throw error
  }
}

/** Runs the preStop hook, where there is one, at most as long; true when there was one. What comes of it keeps no container up. */
export async function runPreStop(work: PodWork, record: ContainerRecord, timeoutMs: number): Promise<boolean> {
  const handler = hookOf(work, record, 'preStop')
  if (handler === undefined) return false
  try {
    await run(work, record, 'preStop', handler, timeoutMs, work.signal)
  } catch (error) {
    if (work.signal?.aborted) return true
    work.context.note(`${record.name}: ${(error as Error).message}`)
    noteEvent(work, record, {
      action: 'hook',
      reason: 'FailedPreStopHook',
      warning: true,
      message: 'PreStopHook failed',
    })
  }
  return true
}

async function run(
  work: PodWork,
  record: ContainerRecord,
  name: HookName,
  handler: Handler,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { run: door, paths, clock, note } = work.context
  const { doHook, execCheck } = await import('../probe/handlers/index.ts')
  const { runtime, addresses } = work.sandbox
  const place = { run: door, paths, runtime, id: record.id, name }
  const site = {
    clock,
    network: work.pod.settings.network,
    addresses,
    exec: (command: readonly string[], ms: number, wish?: AbortSignal) => execCheck(place, command, ms, wish),
  }
  const fallback = (): void =>
    noteEvent(work, record, {
      action: 'hook',
      reason: 'LifecycleHTTPFallback',
      warning: true,
      message: `${name}: the server answered without TLS, and was asked without it`,
    })
  try {
    await doHook(handler, site, { timeoutMs, fallback, ...(signal !== undefined && { signal }) })
  } catch (error) {
    signal?.throwIfAborted()
    // What it printed, or a URL, may hold a secret: that is for the log.
    note(`${name} hook of ${record.name}: ${(error as Error).message}`)
    throw new TspodError('HOOK_FAILED', `the ${name} hook of container ${record.name} failed`, {
      remedy: 'see why: run the same command with TSPOD_LOG=info',
      cause: error,
    })
  }
}
