/** The executors of one pod's plan: sandbox, containers, and what an ended container leaves behind. */
import { join } from 'node:path'
import { isTspodError, TspodError } from '../../errors.ts'
import { removeTree } from '../../files.ts'
import type { Id } from '../../model.ts'
import {
  type CreateInput,
  createContainer,
  isKnown,
  podLimits,
  setLimits,
  startContainer,
  type Verdict,
  waitExit,
} from '../../oci/index.ts'
import { exitDirectory } from '../../paths.ts'
import { containerOf, type PodWork, patch, placesOf } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { once } from '../once.ts'
import type { Executors } from '../plan/index.ts'
import { withoutSecrets } from '../redact.ts'
import type { ContainerRecord } from '../state/index.ts'
import { deadlineOf, specNamed, wantedBy } from '../state/index.ts'
import { writePatches } from '../work.ts'
import { bundleFor, imageOf } from './bundle.ts'
import { deleteRun } from './end.ts'
import { recordEnd } from './ends.ts'
import { advance } from './lifecycle.ts'
import { watched } from './observe.ts'
import { atStart, BEFORE_START } from './progress.ts'
import { releaseRoot } from './roots.ts'
import { attachNetwork, enterPodCgroup, pinSandbox, prepareSandboxFiles, type SandboxFiles } from './sandbox.ts'

/** All of a container's memory comes from disk. */
const RESTORE_TIMEOUT_MS = 600_000
/** How long an init container may take without anybody asking for it. */
const SHORT_INIT_MS = 300
/** How soon somebody who waits for an init container notices that the pod is wanted for something else. */
const WISH_POLL_MS = 250

type Starting = 'sandbox' | 'network' | 'discard' | 'rootfs' | 'create' | 'start' | 'await'

/** One function per kind of step that makes or starts something, for one pod. */
export function startExecutors(work: PodWork): Pick<Executors, Starting> {
  const { context } = work
  // Volumes, hosts file and the like: needed by the first container, prepared next to the namespaces.
  const files = once(() => prepareSandboxFiles(work))
  return {
    sandbox: async () => {
      pinSandbox(work)
      // Begun here, awaited where they are needed: the network does not have to wait for them.
      work.begun.push(files().catch(() => undefined))
    },
    network: () => attachNetwork(work),
    discard: async step => {
      await discard(work, step.container)
    },
    rootfs: async step => {
      const record = containerOf(work, step.container)
      const image = await imageOf(work, record)
      // The layer of an earlier run is taken up again: only a restart by the pod's policy begins afresh.
      const layer = await (await context.rootfs()).create(image, record.id, record.name, work.pod.settings.userns)
      work.rootfs.set(record.id, layer)
    },
    create: async step => {
      const record = containerOf(work, step.container)
      const prepared = await files()
      await hidingSecrets(work, record, () => makeContainer(work, record, prepared))
    },
    start: async step => {
      const record = containerOf(work, step.container)
      await work.after
      // Taken before: a short container has ended by the time the runtime returns.
      const startedMs = context.clock.nowMs()
      await hidingSecrets(work, record, () =>
        startContainer(context.run, work.sandbox.runtime, record.id, record.name, watched(record).container),
      )
      patch(work, record.id, {
        state: advance(record.state, 'started'),
        startedMs,
        ...atStart(specNamed(work.pod.spec, record.shortName)),
      })
      noteEvent(work, record, { action: 'start', reason: 'Started', message: `Started container ${record.shortName}` })
    },
    await: async step => {
      await awaitInit(work, containerOf(work, step.container))
    },
  }
}

/**
 * Has the runtime create a container whose layer is mounted, or, with `restore`, lets it go on from a checkpoint: then
 * it runs at once.
 */
export async function makeContainer(
  work: PodWork,
  record: ContainerRecord,
  files: SandboxFiles,
  restore?: CreateInput['restore'],
): Promise<void> {
  const { context } = work
  const { run, exits } = placesOf(work, record.id)
  if (isKnown(work.sandbox.runtime, record.id)) await deleteRun(work, record)
  const bundle = await bundleFor(work, record, files)
  const created = await createContainer(
    {
      runtime: work.sandbox.runtime,
      id: record.id,
      name: record.name,
      bundle: run,
      conmonPath: bundle.conmonPath,
      runDir: run,
      exitDir: exits,
      log: bundle.log,
      tty: bundle.tty,
      stdin: bundle.stdin,
      exitHook: exitHookOf(work, record),
      beforeStart: pid => enterPodCgroup(work, pid),
      ...(restore !== undefined && { restore, timeoutMs: RESTORE_TIMEOUT_MS }),
    },
    context.clock,
  )
  // The runtime has made the pod's cgroup by now, above the container's; nothing runs there yet.
  const limits = podLimits(work.pod.spec.resources)
  if (limits !== undefined) setLimits(context.hierarchies, work.cgroup.path, limits)
  patch(work, record.id, {
    state: advance(record.state, 'created'),
    boot: context.boot,
    // Of an earlier run: one that is killed before its start has not run since (seed 82340992).
    startedMs: null,
    pid: created.pid,
    pidStart: created.start,
    monitorPid: created.conmonPid,
    monitorStart: created.conmonStart,
    imageId: bundle.imageId,
    command: bundle.command,
    stopSignal: bundle.stopSignal,
    reason: '',
    message: '',
    ...BEFORE_START,
  })
  const message = `Created container ${record.shortName}`
  // Podman makes a container once, and its run each time; the kubelet makes a container each time.
  // A restart is counted before it is made.
  const first = record.startedMs === undefined && record.restarts <= 1
  if (first) noteEvent(work, record, { action: 'create', reason: 'Created', message })
  noteEvent(work, record, first ? { action: 'init', reason: '' } : { action: 'init', reason: 'Created', message })
}

/** A runtime that cannot run a program says which, and its name or a path may be made of a secret. */
async function hidingSecrets(work: PodWork, record: ContainerRecord, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    const entries = specNamed(work.pod.spec, record.shortName)?.env ?? []
    if (!isTspodError(error)) throw error
    const { code, message, remedy, details } = error
    const shown = withoutSecrets(message, entries)
    if (shown === message && details === undefined) throw error
    throw new TspodError(code, shown, {
      remedy: withoutSecrets(remedy, entries),
      ...(details !== undefined && { details: withoutSecrets(details, entries) }),
    })
  }
}

/** Program and arguments that run when the container has ended. */
export const exitHookOf = (work: PodWork, record: ContainerRecord): string[] => {
  const { context } = work
  const { root, runRoot } = context.paths
  return [context.exitHook, context.launcher, root, runRoot, placesOf(work, record.id).pod, record.id]
}

/**
 * Waits until an init container has ended; a code other than 0 fails the step, and the next plan judges it. What it
 * leaves goes with the pod, as the kubelet has it: removing it now would keep the others waiting.
 */
async function awaitInit(work: PodWork, record: ContainerRecord): Promise<void> {
  const verdict = await endOfInit(work, record)
  recordEnd(work, record, verdict?.is === 'exited' ? verdict.exit : undefined)
  if (verdict?.is === 'exited' && verdict.exit.code === 0) return
  const outcome = verdict?.is === 'exited' ? `exited with code ${verdict.exit.code}` : 'ended unseen'
  throw new TspodError('INIT_FAILED', `init container ${record.name} (${record.id.slice(0, 12)}) ${outcome}`, {
    remedy: `see what it said: tspod logs ${work.pod.name}/${record.shortName}`,
  })
}

/** Its end, however long that takes; gives way to whoever wants to stop or remove the pod meanwhile. */
async function endOfInit(work: PodWork, record: ContainerRecord): Promise<Verdict | undefined> {
  const { paths, clock, store } = work.context
  for (let round = 0; ; round++) {
    const waitMs = round === 0 ? SHORT_INIT_MS : WISH_POLL_MS
    const ended = await waitExit(exitDirectory(paths), [watched(record)], waitMs, clock, work.signal, work.context.warn)
    const verdict = ended.get(record.id)
    if (verdict !== undefined) return verdict
    // Most are over by now; of one that takes its time `ps`, `logs` and `exec` have to know that it runs.
    if (round === 0) await store.write(tx => writePatches(tx, work))
    // Nobody else comes to stop the pod as long as this one has its lock.
    if (clock.nowMs() >= (deadlineOf(work.pod) ?? Number.POSITIVE_INFINITY)) throw isOverdue(record)
    const wishes = await Promise.all(work.together.map(name => wantedBy(paths, name)))
    const wish = wishes.find(one => one !== undefined)
    if (wish === undefined) continue
    // From here on the pod is looked after by whoever notices the init container's end.
    work.patient = false
    throw new TspodError('GAVE_WAY', `init container ${record.name} is not waited for: ${wish} came in between`, {
      remedy: 'see what became of the pod: tspod pod ps',
    })
  }
}

const isOverdue = ({ name }: ContainerRecord): TspodError =>
  new TspodError('GAVE_WAY', `init container ${name} is not waited for: activeDeadlineSeconds of its pod are over`, {
    remedy: 'give it more time: spec.activeDeadlineSeconds',
  })

/**
 * Removes what is left of one container's run: runtime state, root file system, run directory, exit file. Its row and
 * its log stay. Idempotent.
 */
export async function discard(work: PodWork, id: Id): Promise<void> {
  const { run, exits } = placesOf(work, id)
  await deleteRun(work, containerOf(work, id))
  await releaseRoot(work, id)
  const rootfs = await work.context.rootfs()
  await Promise.all([rootfs.remove(id), removeTree(run), removeTree(join(exits, id))])
}
