/** The executors that end things: containers are stopped, and what a pod has is freed. Each of them may be repeated. */
import { join } from 'node:path'
import { isTspodError, TspodError } from '../../errors.ts'
import { removeTree } from '../../files.ts'
import {
  containerCgroup,
  deleteContainer,
  forgetContainer,
  isAlive,
  isKnown,
  type NetavarkInput,
  removeCgroup,
  signalContainer,
  thawCgroup,
  unpinNamespaces,
  type Verdict,
  waitExit,
  waitGone,
} from '../../oci/index.ts'
import { artifactDirectory, exitDirectory, notifyDirectory, podDirectory, podLogDirectory } from '../../paths.ts'
import { containerOf, type PodWork, patch, placesOf } from '../context.ts'
import { insertEvents, noteEvent } from '../events/index.ts'
import { type Executors, termsFor } from '../plan/index.ts'
import { type ContainerRecord, deleteContainerRow, deletePod, dropCopy, specNamed } from '../state/index.ts'
import { releaseClaims, removeEphemeral, removeImageVolumes, removeVolumes } from '../volumes/index.ts'
import { look } from '../work.ts'
import { recordEnd } from './ends.ts'
import { isFailing, runPreStop } from './hooks.ts'
import { advance } from './lifecycle.ts'
import { logPath } from './log-path.ts'
import { watched } from './observe.ts'
import { releaseRoot } from './roots.ts'
import { endScope } from './scope.ts'
import { unwatchStorage } from './storage-limits.ts'
import { endSilentMonitor } from './strays.ts'

/** After KILL the kernel needs a moment; a process stuck in it longer than this is reported. */
const KILL_WAIT_MS = 10_000
/** However long others took of the pod's grace: the kubelet gives every container at least this. */
const MIN_GRACE_MS = 2_000
/** A pod that takes room from others is not given much time. */
const EVICTION_GRACE_MS = 1_000
/** 128 and the number of SIGKILL, as its monitor would have it. */
const KILLED_CODE = 137

type Ending =
  | 'stop'
  | 'delete'
  | 'unmount'
  | 'erase'
  | 'drop'
  | 'cgroup'
  | 'disconnect'
  | 'unpin'
  | 'volumes'
  | 'files'
  | 'rundir'
  | 'forget'

/** States of a container whose stop has not come to its end. */
const LIVES: ReadonlySet<string> = new Set(['running', 'paused', 'stopping', 'unknown'])

/** One function per kind of step that ends something, for one pod. */
export function endExecutors(work: PodWork): Pick<Executors, Ending> {
  const { context, pod } = work
  const { run, paths, clock, hierarchies } = context
  /** Lets netavark be started first, whose work is what everything waits for in the end. */
  const networkBegins = async (): Promise<void> => {
    if (work.sandbox.network !== undefined) await clock.sleep(0)
  }
  return {
    stop: step => stop(work, containerOf(work, step.container)),
    delete: async step => {
      await networkBegins()
      await deleteRun(work, containerOf(work, step.container))
    },
    unmount: async step => {
      await releaseRoot(work, step.container)
      await (await context.rootfs()).unmount(step.container)
    },
    erase: async step => {
      await networkBegins()
      await releaseRoot(work, step.container)
      await (await context.rootfs()).remove(step.container)
    },
    drop: step => drop(work, containerOf(work, step.container)),
    cgroup: async () => {
      const keepTop = work.cgroup.scope !== undefined
      await removeCgroup(hierarchies, work.cgroup.path, { force: true, keepTop, clock })
    },
    disconnect: async () => {
      if (work.containers.every(({ state }) => !LIVES.has(state))) work.rested?.()
      const { network, namespaces } = work.sandbox
      if (network === undefined) return
      await context.networks.teardown(join(namespaces, 'net'), network as NetavarkInput)
    },
    unpin: async () => {
      if (pod.kind === 'pod') unpinNamespaces(work.sandbox.namespaces)
      await unwatchStorage(work)
      await releaseClaims(work)
    },
    volumes: async () => {
      await removeVolumes(pod.id, paths, run)
      await removeImageVolumes(work)
      await removeEphemeral(context, pod.spec)
    },
    files: () => removeFiles(work),
    rundir: () => removeTree(placesOf(work, pod.id).pod),
    forget: async () => {
      await endScope(work)
      for (const record of work.containers) noteEvent(work, record, { action: 'remove', reason: '' })
      noteEvent(work, undefined, { action: 'remove', reason: 'Removed' })
      dropCopy(paths, pod.id)
      await context.store.write(async tx => {
        await insertEvents(tx, work.events)
        await deletePod(tx, pod.id)
      })
      work.forgotten = true
    },
  }
}

/**
 * Asks one container to stop and kills it after the grace: its pod's, or what somebody wants. Whatever became of it
 * is recorded. Throws PARTIAL_FAILURE when even KILL did not end it.
 */
async function stop(work: PodWork, record: ContainerRecord): Promise<void> {
  const { clock } = work.context
  const observed = look(work, record)
  if (observed.at === 'created') return discardCreated(work, record)
  if (observed.at !== 'running' && observed.at !== 'unmonitored') return
  const process = { pid: observed.pid, start: observed.start }
  noteEvent(work, record, { action: 'stop', reason: 'Killing', message: whyStopped(work, record) })
  thawCgroup(work.context.hierarchies, containerCgroup(work.cgroup, record.shortName))
  const { monitor } = watched(record)
  // A monitor that was made to stand still would never say that its container has ended.
  signalContainer(monitor.pid, monitor.start, 'SIGCONT')
  const graceMs = await afterPreStop(work, record)
  let verdict: Verdict | undefined
  // Without any grace nothing is asked first, as in Podman: the exit code is 137, not what a race makes of it.
  if (graceMs > 0) {
    const asked = work.stopping.signal ?? (record.stopSignal as NodeJS.Signals)
    signalContainer(process.pid, process.start, asked)
    verdict = await endWithin(work, record, graceMs, work.signal)
  }
  let isKilled = false
  if (verdict === undefined) {
    isKilled = signalContainer(process.pid, process.start, 'SIGKILL')
    verdict = await endWithin(work, record, KILL_WAIT_MS)
    if (verdict === undefined && isAlive(process)) throw cannotEnd(record)
  }
  // It is gone, and its monitor is there but stuck: nobody will say how it ended.
  if (verdict === undefined) signalContainer(monitor.pid, monitor.start, 'SIGKILL')
  const killed = isKilled ? { code: KILLED_CODE, finishedMs: clock.nowMs() } : undefined
  recordEnd(work, record, verdict?.is === 'exited' ? verdict.exit : killed)
}

/** The grace that is left once its preStop hook has had its time of it. */
async function afterPreStop(work: PodWork, record: ContainerRecord): Promise<number> {
  const { clock } = work.context
  const graceMs = isFailing(work, record) ? probeGraceMs(work, record) : graceLeftMs(work)
  if (graceMs <= 0) return 0
  const beganMs = clock.monotonicMs()
  if (!(await runPreStop(work, record, graceMs))) return graceMs
  return Math.max(MIN_GRACE_MS, graceMs - (clock.monotonicMs() - beganMs))
}

/** How long one has that a probe or hook has ended: as its probe says, else its pod. */
function probeGraceMs({ pod }: PodWork, { shortName, failedCheck }: ContainerRecord): number {
  const probes = specNamed(pod.spec, shortName)?.probes
  const probe = failedCheck === 'liveness' || failedCheck === 'startup' ? probes?.[failedCheck] : undefined
  return probe?.graceMs ?? pod.spec.graceMs
}

/** In the kubelet's words. */
function whyStopped(work: PodWork, record: ContainerRecord): string {
  const { shortName, failedCheck, kind } = record
  if (!isFailing(work, record)) return `Stopping container ${shortName}`
  if (failedCheck === 'postStart') return 'FailedPostStartHook'
  const { policy } = termsFor(work.pod.spec.restartPolicy, kind, specNamed(work.pod.spec, shortName))
  return `Container ${shortName} failed ${failedCheck} probe${policy === 'Never' ? '' : ', will be restarted'}`
}

/** What became of a container that was sent a signal; undefined while it is there. */
async function endWithin(
  work: PodWork,
  record: ContainerRecord,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Verdict | undefined> {
  const { clock, paths, warn } = work.context
  const target = watched(record)
  const beganMs = clock.monotonicMs()
  const verdict = (await waitExit(exitDirectory(paths), [target], timeoutMs, clock, signal, warn)).get(record.id)
  if (verdict?.is !== 'monitor-lost') return verdict
  // Nobody will tell of its end, but it has its grace all the same.
  const leftMs = timeoutMs - (clock.monotonicMs() - beganMs)
  return (await waitGone(target.container, leftMs, clock, signal)) ? { is: 'lost' } : undefined
}

const cannotEnd = ({ name, pid }: ContainerRecord): TspodError =>
  new TspodError('PARTIAL_FAILURE', `container ${name} (process ${pid}) does not end, not even by SIGKILL`, {
    remedy: 'see what it waits for: cat /proc/PID/stack; then run the same command again',
  })

/**
 * The grace is the pod's: who is asked later has less of it. That of a pod that failed counts from then on, also where
 * whoever stopped it was killed: it would begin again and again otherwise.
 */
function graceLeftMs({ context: { clock }, pod, stopping }: PodWork): number {
  const nowMs = clock.monotonicMs()
  stopping.beganMs ??= nowMs
  const graceMs = stopping.graceMs ?? (pod.failure === 'Evicted' ? EVICTION_GRACE_MS : pod.spec.graceMs)
  const leastMs = Math.min(graceMs, MIN_GRACE_MS)
  const failedMs = stopping.graceMs === undefined ? pod.failedMs : undefined
  const spentMs = failedMs === undefined ? nowMs - stopping.beganMs : Math.max(0, clock.nowMs() - failedMs)
  return Math.max(leastMs, graceMs - spentMs)
}

/** Nothing of it has run: it is as if it had never been made. */
async function discardCreated(work: PodWork, record: ContainerRecord): Promise<void> {
  await deleteContainer(work.context.run, work.sandbox.runtime, record.id, { force: true })
  await monitorEnds(work, record)
  patch(work, record.id, {
    state: advance(record.state === 'stopping' ? 'created' : record.state, 'reset'),
    pid: null,
    pidStart: null,
    monitorPid: null,
    monitorStart: null,
  })
}

/**
 * Removes what the runtime and conmon keep of a run. A runtime that cannot end a container does not decide about it:
 * its cgroup knows its processes. One that still cannot delete it then (it hangs, crashes, was uninstalled) is not
 * needed for that: nothing runs any more, and its state goes without it.
 */
export async function deleteRun(work: PodWork, record: ContainerRecord): Promise<void> {
  const { context, sandbox } = work
  const { run, exits } = placesOf(work, record.id)
  if (isKnown(sandbox.runtime, record.id)) {
    noteEvent(work, record, { action: 'cleanup', reason: '' })
    // Made by a process that was killed before it could write that down: its monitor would tell of its end when the
    // next run is there, which would be taken for the end of that one.
    if (record.monitorPid === undefined) await endSilentMonitor(run, exits, record.id, context.clock)
  }
  const remove = (): Promise<void> => deleteContainer(context.run, sandbox.runtime, record.id, { force: true })
  try {
    await remove()
  } catch (error) {
    await removeCgroup(context.hierarchies, containerCgroup(work.cgroup, record.shortName), {
      force: true,
      clock: context.clock,
    })
    if (!isTspodError(error, 'COMMAND_TIMEOUT')) await remove().catch(() => undefined)
    if (isKnown(sandbox.runtime, record.id)) {
      context.note(`container ${record.name} is removed without its runtime: ${(error as Error).message}`)
      await forgetContainer(sandbox.runtime, record.id)
    }
  }
  await monitorEnds(work, record)
  await removeTree(join(exits, record.id))
}

/**
 * conmon is about to write how a container ended that was deleted before it started: nobody would remove that file if
 * it came after everything else had gone.
 */
async function monitorEnds(work: PodWork, record: ContainerRecord): Promise<void> {
  const { paths, clock, boot } = work.context
  if (record.monitorPid === undefined || record.boot !== boot) return
  await waitExit(exitDirectory(paths), [watched(record)], KILL_WAIT_MS, clock)
}

/** Forgets a container whose run and layer are gone, with its files and its log. */
async function drop(work: PodWork, record: ContainerRecord): Promise<void> {
  const { paths, store } = work.context
  await removeTree(placesOf(work, record.id).run)
  await removeTree(artifactDirectory(paths, work.pod.id, record.id))
  const log = logPath(paths, work.pod, record)
  // A file that somebody named for several containers is not this one's to take.
  if (work.pod.settings.log.path === undefined && log !== '') await removeTree(log)
  noteEvent(work, record, { action: 'remove', reason: 'Removed' })
  work.patches.delete(record.id)
  const events = work.events.splice(0)
  await store.write(async tx => {
    await insertEvents(tx, events)
    await deleteContainerRow(tx, record.id)
  })
  work.containers.splice(work.containers.indexOf(record), 1)
}

async function removeFiles(work: PodWork): Promise<void> {
  const { paths } = work.context
  await Promise.all([
    ...work.containers.flatMap(({ id }) => {
      const { run, exits } = placesOf(work, id)
      return [removeTree(run), removeTree(join(exits, id)), removeTree(notifyDirectory(paths, id))]
    }),
    removeTree(podDirectory(paths, work.pod.id)),
    removeTree(podLogDirectory(paths, work.pod.name, work.pod.id)),
  ])
}
