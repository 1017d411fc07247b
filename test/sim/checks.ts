/** What must be true once nothing goes wrong any more: every pod is where it should be, and after `down` nothing is left. */
import type { Row } from '../../src/engine/state/store.ts'
import type { Id, PodSpec } from '../../src/model.ts'
import type { History } from './history.ts'
import type { Run } from './kernel.ts'
import { dependenciesOf, runsAgain } from './rules.ts'

/** The longest back-off, and the longest nap of the timekeeper. */
const LONGEST_PAUSE_MS = 370_000
const PATIENCE_S = 120

/** Waits until no process of tspod is at work, and checks every pod. */
export async function atRest(history: History): Promise<void> {
  const { scheduler, database } = history
  for (let second = 0; scheduler.living().length > 0; second++) {
    if (second === PATIENCE_S) {
      const names = scheduler.living().map(({ name }) => name)
      return scheduler.accuse(`still at work after ${PATIENCE_S} s: ${names.join(', ')}`)
    }
    await scheduler.run(1_000)
    if (scheduler.failure !== undefined) return
  }
  // A service without pods is nobody's: the next play or down takes it away.
  const pods = database.all(
    `SELECT * FROM pod WHERE complete = 1 AND goal <> 'removed'
     AND (kind = 'pod' OR id IN (SELECT service FROM pod WHERE service IS NOT NULL AND complete = 1))`,
  )
  for (const pod of pods) checkPod(history, pod)
  const waits = database.all("SELECT name FROM pod WHERE wake_ms IS NOT NULL AND complete = 1 AND goal = 'running'")
  waits.push(...database.all('SELECT name FROM job WHERE wake_ms IS NOT NULL'))
  history.rules.jobs.atRest()
  if (waits.length > 0 && !history.timekeeper.isThere) scheduler.accuse(`nobody keeps time for ${waits[0]?.name}`)
}

function checkPod(history: History, pod: Row): void {
  const { scheduler, kernel, database } = history
  const rows = database.all('SELECT * FROM container WHERE pod = ?', [pod.id as Id])
  const runOf = (row: Row): Run | undefined => kernel.runs.get(row.id as Id)
  const isUp = (row: Row): boolean => runOf(row)?.started === true && runOf(row)?.process.alive === true
  for (const row of rows) {
    if (row.goal !== 'running' && isUp(row)) scheduler.accuse(`${row.name} runs and is wanted ${row.goal}`)
    // A service that was killed along with its monitor: systemd and the next command see to it.
    // Its monitor and its exit hook take a moment (seed 60340).
    const isNews = scheduler.monoMs - (runOf(row)?.endedMs ?? 0) < 1_000
    if (row.state === 'running' && !isUp(row) && !isNews && pod.kind === 'pod')
      scheduler.accuse(`${row.name} is taken for running`)
  }
  if (pod.goal === 'created' || (pod.kind === 'service' && pod.goal === 'running')) return
  const work = rows.filter(({ kind }) => kind === 'regular' || kind === 'service')
  const isDone = (row: Row): boolean => {
    if (row.goal === 'stopped') return !isUp(row)
    if (isUp(row) || (row.state !== 'exited' && row.state !== 'stopped')) return false
    return !runsAgain(pod, row)
  }
  const inits = rows.filter(({ kind }) => kind === 'init')
  const hasFailed = inits.some(
    row =>
      (row.state === 'exited' || row.state === 'stopped') &&
      row.exit_code !== 0 &&
      (!runsAgain(pod, row) || row.goal === 'stopped'),
  )
  const isFinished = work.length > 0 && work.every(isDone)
  if (pod.goal === 'stopped' || pod.failure !== null || isFinished || hasFailed) {
    const held = kernel.held(String(pod.id))
    if (held.length > 0) scheduler.accuse(`pod ${pod.name} is at rest and holds ${held.join(', ')}`)
    return
  }
  const { deadlineMs = Number.POSITIVE_INFINITY } = JSON.parse(String(pod.spec)) as PodSpec
  const activeMs = scheduler.nowMs() - Number(pod.active_ms)
  if (activeMs > deadlineMs) scheduler.accuse(`pod ${pod.name} is active for ${activeMs} ms, more than ${deadlineMs}`)
  const isTrying = (row: Row): boolean => {
    const run = runOf(row)
    return isUp(row) || scheduler.monoMs - (run?.endedMs ?? Number.NEGATIVE_INFINITY) < LONGEST_PAUSE_MS
  }
  // Somebody wants an init container only created, or stopped: nothing comes after it.
  if (inits.some(row => row.goal !== 'running' && !(row.state === 'exited' && row.boot === kernel.boot))) return
  // Without the owner of its PID namespace nothing of a pod can run.
  if (rows.some(row => row.kind === 'infra' && row.goal !== 'running')) return
  const isOpen = (row: Row): boolean => !(row.state === 'exited' && row.exit_code === 0)
  const waiting = inits.filter(row => row.goal === 'running' && isOpen(row))
  if (waiting.length > 0 && !work.some(isUp)) {
    // Only the first of them is at it.
    const helpers = rows.filter(({ kind }) => kind === 'init' || kind === 'sidecar')
    if (!helpers.some(isTrying)) scheduler.accuse(`pod ${pod.name}: none of its init containers is tried again`)
    return
  }
  // A sidecar in its back-off holds up what has never run: that is made once it runs again (seed 700555).
  const isHeldUp = rows.some(row => row.kind === 'sidecar' && row.goal === 'running' && !isUp(row) && isTrying(row))
  // Also one that could not be made when it was to be (seed 771643).
  const hasNotBegun = (row: Row): boolean =>
    row.state === 'configured' || row.state === 'created' || row.started_ms === null
  // The same of a sidecar after it, as long as nothing else runs.
  const isBehind = (row: Row): boolean =>
    row.kind === 'sidecar' &&
    !work.some(isUp) &&
    rows.some(
      other =>
        other.kind === 'sidecar' &&
        other.goal === 'running' &&
        Number(other.ordinal) < Number(row.ordinal) &&
        !isUp(other) &&
        isTrying(other),
    )
  // What it depends on is wanted only created (`tspod init`): it is not started before that (seed 106).
  const waitsForCreated = (row: Row): boolean =>
    rows.some(
      other =>
        dependenciesOf(pod, row).includes(String(other.short_name)) &&
        hasNotBegun(other) &&
        (other.goal === 'created' || waitsForCreated(other)),
    )
  for (const row of [...work, ...rows.filter(({ kind }) => kind === 'sidecar' || kind === 'infra')]) {
    if (isHeldUp && row.kind === 'regular' && hasNotBegun(row)) continue
    if (hasNotBegun(row) && waitsForCreated(row)) continue
    if (isBehind(row)) continue
    if (row.goal === 'running' && !isTrying(row) && !isDoneWork(row, isDone)) {
      scheduler.accuse(`${row.name} should run: it is ${row.state} ${row.exit_code ?? ''}`)
    }
  }
}

const isDoneWork = (row: Row, isDone: (row: Row) => boolean): boolean => row.kind === 'regular' && isDone(row)

/** After `down` nothing may be left, of the host or of the store. */
export function nothingLeft(history: History): void {
  const { scheduler, kernel, database, world, timekeeper, workload, rules } = history
  // Of a process that was killed when a record was gone and its lock file not yet: `down` knows the names neither of a
  // service nor of later pods of a Job; the next play of that name and fsck take them (seeds 123450114, 161800887).
  const isUnknown = (name: string): boolean =>
    rules.killed > 0 && (name === workload.options.service?.name || /^job-pod-\d+$/.test(name))
  const locks = [...world.lockFiles].filter(name => !isUnknown(name))
  const left = [...kernel.rest(), ...database.rest(), ...locks.map(name => `lock ${name}`)]
  if (timekeeper.isThere) left.push('a timekeeper')
  left.push(...scheduler.living().map(({ name }) => `process ${name}`))
  if (left.length > 0) scheduler.accuse(`left behind by down: ${left.join(', ')}`)
}
