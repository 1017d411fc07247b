/** Recording how a container ended: code, reason and the message it left behind. */
import { type Exit, wasOomKilled } from '../../oci/index.ts'
import { type PodWork, patch, placesOf } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { FAILED_CHECKS, judgeExit, termsFor } from '../plan/index.ts'
import { type ContainerPatch, type ContainerRecord, specNamed } from '../state/index.ts'
import { lastWords } from './last-words.ts'
import { advance } from './lifecycle.ts'
import { AFTER_END } from './progress.ts'

/** What Kubernetes reports when nobody knows the code; never 0, because that would mean success. */
const UNSEEN_CODE = 255

/** Notes the end of `record`; an absent `exit` means that nobody saw it end. */
export function recordEnd(work: PodWork, record: ContainerRecord, exit: Exit | undefined): void {
  const { run } = placesOf(work, record.id)
  const code = exit?.code ?? UNSEEN_CODE
  const oom = isOom(run)
  patch(work, record.id, {
    ...endState(record),
    exitCode: code,
    finishedMs: exit?.finishedMs ?? work.context.clock.nowMs(),
    reason: reasonOf(record, exit, oom),
    message: exit === undefined ? 'its process is gone and nobody recorded how it ended' : wordsOf(work, record, code),
    pid: null,
    pidStart: null,
    monitorPid: null,
    monitorStart: null,
    ...AFTER_END,
  })
  const { reason, message } = record
  const facts = { exitCode: String(code), ...(oom && { oomKilled: 'true' }) }
  noteEvent(work, record, { action: 'died', reason, warning: code !== 0, message, facts })
  noteBackOff(work, record, exit === undefined ? undefined : code)
}

/** What it said itself tells more than why it was ended. */
function wordsOf(work: PodWork, record: ContainerRecord, code: number): string {
  const words = lastWords(work, record, code)
  return words === '' && record.failedCheck !== undefined ? FAILED_CHECKS[record.failedCheck] : words
}

function reasonOf({ failedCheck }: ContainerRecord, exit: Exit | undefined, oom: boolean): string {
  if (exit === undefined) return 'Unknown'
  if (oom) return 'OOMKilled'
  if (failedCheck === 'postStart') return 'PostStartHookError'
  return exit.code === 0 ? 'Completed' : 'Error'
}

/** Tells once of each end whose restart is put off. */
export function noteBackOff(work: PodWork, record: ContainerRecord, exitCode: number | undefined): void {
  const { pod } = work
  if (pod.goal !== 'running' || pod.failure !== undefined || record.goal !== 'running' || record.state === 'stopped')
    return
  const { kind, startedMs, crashes, failedCheck } = record
  const finishedMs = record.finishedMs ?? work.context.clock.nowMs()
  const terms = termsFor(pod.spec.restartPolicy, kind, specNamed(pod.spec, record.shortName))
  const verdict = judgeExit(terms, kind, {
    exitCode,
    startedMs,
    finishedMs,
    crashes,
    ...(failedCheck && { failedCheck }),
  })
  if (!verdict.restart || verdict.atMs <= finishedMs) return
  noteEvent(work, record, {
    action: 'backoff',
    reason: 'BackOff',
    warning: true,
    message: `Back-off restarting failed container ${record.shortName} in pod ${pod.name}: next start in ${(verdict.atMs - finishedMs) / 1000} s`,
  })
}

/** `stopped` when somebody asked for it, `exited` otherwise. A row may lag behind: what ended has been started. */
function endState({ state, killed }: ContainerRecord): Pick<ContainerPatch, 'state' | 'goal' | 'killed'> {
  if (state === 'stopping') return { state: advance(state, 'exited'), killed: false }
  // A signal from `kill` is a wish as well, however late the container follows it.
  if (killed) return { state: 'stopped', goal: 'stopped', killed: false }
  return { state: 'exited' }
}

/** True when it was killed because its memory ran out; `run` is its run directory. */
export function isOom(run: string): boolean {
  try {
    return wasOomKilled(run)
  } catch {
    // The run directory is gone: then nobody can say.
    return false
  }
}
