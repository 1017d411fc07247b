/**
 * What a start waits for before it goes on: the end of an init container, the startup probe of a sidecar, a postStart
 * hook. All may take long, and nobody else comes to the pod meanwhile: so each gives way to whoever wants to stop or
 * remove it.
 */
import { TspodError } from '../../errors.ts'
import { type Verdict, waitExit } from '../../oci/index.ts'
import { exitDirectory } from '../../paths.ts'
import type { PodWork } from '../context.ts'
import { wakeProber } from '../prober.ts'
import { type ContainerRecord, deadlineOf, readContainer, wantedBy } from '../state/index.ts'
import { writePatches } from '../work.ts'
import { recordEnd } from './ends.ts'
import { runPostStart } from './hooks.ts'
import { watched } from './observe.ts'

/** How long it may take without anybody asking for the container. */
const SHORT_MS = 300
/** How soon somebody who waits notices that the pod is wanted for something else. */
const WISH_POLL_MS = 250

/**
 * Waits until an init container has ended; a code other than 0 fails the step, and the next plan judges it. What it
 * leaves goes with the pod, as the kubelet has it: removing it now would keep the others waiting.
 */
export async function awaitInit(work: PodWork, record: ContainerRecord): Promise<void> {
  const verdict = await whatComes(work, `init container ${record.name}`, waitMs => endWithin(work, record, waitMs))
  recordEnd(work, record, verdict.is === 'exited' ? verdict.exit : undefined)
  if (verdict.is === 'exited' && verdict.exit.code === 0) return
  const outcome = verdict.is === 'exited' ? `exited with code ${verdict.exit.code}` : 'ended unseen'
  throw initFailed(work, record, `init container ${record.name} (${record.id.slice(0, 12)}) ${outcome}`)
}

/**
 * Waits until the startup probe of a sidecar has succeeded: the prober writes that down. One that has failed for good,
 * or has ended, fails the step, and the next plan judges it.
 */
export async function awaitStarted(work: PodWork, record: ContainerRecord): Promise<void> {
  const { store } = work.context
  // Probes are made of what the store says runs.
  await store.write(tx => writePatches(tx, work))
  await wakeProber(work.context)
  const news = await whatComes(work, `sidecar ${record.name}`, async waitMs => {
    const verdict = await endWithin(work, record, waitMs)
    if (verdict !== undefined) return verdict
    const now = await readContainer(store, record.id)
    if (now?.started !== true && now?.failedCheck === undefined) return undefined
    // Written by the prober: not ours to write again.
    Object.assign(record, { started: now.started, ready: now.ready, failedCheck: now.failedCheck, health: now.health })
    return now
  })
  if ('started' in news) {
    if (news.failedCheck === undefined) return
    throw initFailed(work, record, `the startup probe of sidecar ${record.name} failed`)
  }
  recordEnd(work, record, news.is === 'exited' ? news.exit : undefined)
  throw initFailed(work, record, `sidecar ${record.name} ended before its startup probe had succeeded`)
}

/** Runs the postStart hook of a container that has just started. */
export async function awaitHook(work: PodWork, record: ContainerRecord): Promise<void> {
  const { clock } = work.context
  const over = new AbortController()
  const signal = work.signal === undefined ? over.signal : AbortSignal.any([work.signal, over.signal])
  const done = runPostStart(work, record, signal).then(
    () => ({ error: undefined }),
    (error: unknown) => ({ error }),
  )
  try {
    const { error } = await whatComes(work, `the postStart hook of ${record.name}`, waitMs => {
      const pause = new AbortController()
      const late = clock.sleep(waitMs, pause.signal).catch(() => undefined)
      return Promise.race([done, late]).then(news => {
        pause.abort()
        return news ?? undefined
      })
    })
    if (error !== undefined) throw error
  } catch (error) {
    over.abort(error)
    await done
    throw error
  }
}

const initFailed = (work: PodWork, record: ContainerRecord, message: string): TspodError =>
  new TspodError('INIT_FAILED', message, {
    remedy: `see what it said: tspod logs ${work.pod.name}/${record.shortName}`,
  })

async function endWithin(work: PodWork, record: ContainerRecord, waitMs: number): Promise<Verdict | undefined> {
  const { paths, clock, warn } = work.context
  const ended = await waitExit(exitDirectory(paths), [watched(record)], waitMs, clock, work.signal, warn)
  return ended.get(record.id)
}

/** What `look` comes back with, however long that takes; throws GAVE_WAY to whoever wants to stop or remove the pod. */
async function whatComes<T>(work: PodWork, what: string, look: (waitMs: number) => Promise<T | undefined>): Promise<T> {
  const { paths, clock, store } = work.context
  for (let round = 0; ; round++) {
    const news = await look(round === 0 ? SHORT_MS : WISH_POLL_MS)
    if (news !== undefined) return news
    // Most are over by now; of one that takes its time `ps`, `logs` and `exec` have to know that it runs.
    if (round === 0) await store.write(tx => writePatches(tx, work))
    // Nobody else comes to stop the pod as long as this one has its lock.
    if (clock.nowMs() >= (deadlineOf(work.pod) ?? Number.POSITIVE_INFINITY)) throw isOverdue(what)
    const wishes = await Promise.all(work.together.map(name => wantedBy(paths, name)))
    const wish = wishes.find(one => one !== undefined)
    if (wish === undefined) continue
    // From here on the pod is looked after by whoever notices what becomes of it.
    work.patient = false
    throw new TspodError('GAVE_WAY', `${what} is not waited for: ${wish} came in between`, {
      remedy: 'see what became of the pod: tspod pod ps',
    })
  }
}

const isOverdue = (what: string): TspodError =>
  new TspodError('GAVE_WAY', `${what} is not waited for: activeDeadlineSeconds of its pod are over`, {
    remedy: 'give it more time: spec.activeDeadlineSeconds',
  })
