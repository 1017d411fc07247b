/** What is true of a container right now, by the kernel and conmon's exit file; the store only says where to look. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { judgeProcess, type Watched } from '../../oci/index.ts'
import { exitDirectory, type Paths, runtimeRoot } from '../../paths.ts'
import type { Observed } from '../plan/index.ts'
import type { ContainerRecord } from '../state/index.ts'

export type ObserveContext = {
  paths: Paths
  boot: string /** The runtime of the pod's sandbox. */
  runtime: string | undefined
}

/** Looks at one container; spawns no process. */
export function observe(context: ObserveContext, record: ContainerRecord): Observed {
  const ended = recordedEnd(record)
  if (ended !== undefined) return ended
  if (record.boot !== context.boot) return beforeThisBoot(record)
  const { pid, pidStart, monitorPid, monitorStart } = record
  if (pid === undefined || pidStart === undefined) return { at: 'absent' }
  const verdict = judgeProcess(exitDirectory(context.paths), {
    id: record.id,
    container: { pid, start: pidStart },
    monitor: { pid: monitorPid ?? 0, start: monitorStart ?? '' },
  })
  if (verdict.is === 'exited') return { at: 'exited', ...verdict.exit }
  if (verdict.is === 'lost') return { at: 'lost' }
  if (verdict.is === 'monitor-lost') return { at: 'unmonitored', pid, start: pidStart }
  // Its own process may just have ended, with conmon about to say how: it is then still what it was for us.
  return { at: waitsForStart(context, record) ? 'created' : 'running', pid, start: pidStart }
}

/** The end that was recorded and whose kernel objects are gone or of no interest any more. */
function recordedEnd(record: ContainerRecord): Observed | undefined {
  if (record.state !== 'exited' && record.state !== 'stopped') return undefined
  return { at: 'exited', code: record.exitCode ?? 255, finishedMs: record.finishedMs ?? record.createdMs }
}

/** After a reboot nothing runs: what was configured is still to be made, what ran ended unseen. */
function beforeThisBoot(record: ContainerRecord): Observed {
  return record.state === 'configured' || record.state === 'created' ? { at: 'absent' } : { at: 'lost' }
}

/** crun and runc keep a FIFO next to the state of a container that is created and not started yet. */
function waitsForStart(context: ObserveContext, record: ContainerRecord): boolean {
  if (context.runtime === undefined) return false
  return existsSync(join(runtimeRoot(context.paths, context.runtime), record.id, 'exec.fifo'))
}

/** A recorded container in the form the exit watcher wants. */
export function watched(record: ContainerRecord): Watched {
  return {
    id: record.id,
    container: { pid: record.pid ?? 0, start: record.pidStart ?? '' },
    monitor: { pid: record.monitorPid ?? 0, start: record.monitorStart ?? '' },
  }
}
