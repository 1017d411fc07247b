/** The executors of one pod's plan: sandbox, containers, and what an ended container leaves behind. */
import { join } from 'node:path'
import { isTspodError, TspodError } from '../../errors.ts'
import { removeTree } from '../../files.ts'
import type { Id } from '../../model.ts'
import {
  beginMonitor,
  type CreateInput,
  createContainer,
  dismissMonitor,
  findProgram,
  isKnown,
  podLimits,
  setLimits,
  startContainer,
} from '../../oci/index.ts'
import { containerOf, type PodWork, patch, placesOf } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { once } from '../once.ts'
import type { Executors } from '../plan/index.ts'
import { wantProber } from '../prober.ts'
import { withoutSecrets } from '../redact.ts'
import type { ContainerRecord } from '../state/index.ts'
import { specNamed } from '../state/index.ts'
import { awaitHook, awaitInit, awaitStarted } from './await.ts'
import { bundleFor, imageOf } from './bundle.ts'
import { deleteRun } from './end.ts'
import { advance } from './lifecycle.ts'
import { logTargets } from './log-path.ts'
import { watched } from './observe.ts'
import { atStart, BEFORE_START } from './progress.ts'
import { releaseRoot } from './roots.ts'
import { attachNetwork, enterPodCgroup, pinSandbox, prepareSandboxFiles, type SandboxFiles } from './sandbox.ts'

/** All of a container's memory comes from disk. */
const RESTORE_TIMEOUT_MS = 600_000

type Starting = 'sandbox' | 'network' | 'discard' | 'rootfs' | 'create' | 'start' | 'hook' | 'await'

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
      const { userns } = work.pod.settings
      const rootfs = await context.rootfs()
      const layer = await rootfs.create(image, record.id, record.name, userns, () => whileMounting(work, record))
      work.rootfs.set(record.id, layer)
    },
    create: async step => {
      const record = containerOf(work, step.container)
      const prepared = await files()
      await hidingSecrets(work, record, () => makeContainer(work, record, prepared))
    },
    start: async step => {
      const record = containerOf(work, step.container)
      const spec = specNamed(work.pod.spec, record.shortName)
      await work.after
      if (spec?.probes !== undefined) wantProber(context)
      // Taken before: a short container has ended by the time the runtime returns.
      const startedMs = context.clock.nowMs()
      await hidingSecrets(work, record, () =>
        startContainer(context.run, work.sandbox.runtime, record.id, record.name, watched(record).container),
      )
      patch(work, record.id, {
        state: advance(record.state, 'started'),
        startedMs,
        ...atStart(spec),
      })
      noteEvent(work, record, { action: 'start', reason: 'Started', message: `Started container ${record.shortName}` })
    },
    hook: step => awaitHook(work, containerOf(work, step.container)),
    await: step => {
      const record = containerOf(work, step.container)
      return record.kind === 'init' ? awaitInit(work, record) : awaitStarted(work, record)
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
  if (isKnown(work.sandbox.runtime, record.id)) await deleteRun(work, record)
  const bundle = await bundleFor(work, record, files)
  const input = {
    ...createInput(work, record),
    ...(restore !== undefined && { restore, timeoutMs: RESTORE_TIMEOUT_MS }),
  }
  const begun = work.monitors.get(record.id)
  work.monitors.delete(record.id)
  const created = await createContainer(input, context.clock, begun)
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

/**
 * Starts the monitor of a container that is about to be created, while there is nothing else to do: it gets into its
 * cgroup, which under systemd is another program's work, before it is needed. Where containers wait for others of
 * their pod it might wait for hours; there at least systemd is connected to, which takes 20 ms of this thread.
 */
function whileMounting(work: PodWork, record: ContainerRecord): void {
  if (work.containers.some(({ kind }) => kind === 'init' || kind === 'sidecar')) {
    if (work.cgroup.scope !== undefined) work.context.manager.prepare()
    return
  }
  if (isKnown(work.sandbox.runtime, record.id) || work.monitors.has(record.id)) return
  const begun = Promise.resolve().then(() => beginMonitor(createInput(work, record)))
  begun.catch(() => undefined)
  work.monitors.set(record.id, begun)
}

/** Ends the monitors of containers that have not come to be created. */
export async function dismissMonitors(work: PodWork): Promise<void> {
  const left = [...work.monitors.values()]
  work.monitors.clear()
  for (const begun of left) await begun.then(dismissMonitor, () => undefined)
}

/** What conmon is told of a container; its bundle may be missing yet. Throws TOOL_MISSING without conmon. */
function createInput(work: PodWork, record: ContainerRecord): CreateInput {
  const { run, exits } = placesOf(work, record.id)
  const conmonPath = findProgram('conmon')
  if (conmonPath === undefined) {
    throw new TspodError('TOOL_MISSING', 'conmon is not installed', { remedy: 'install it: apt install conmon' })
  }
  const spec = specNamed(work.pod.spec, record.shortName)
  return {
    runtime: work.sandbox.runtime,
    id: record.id,
    name: record.name,
    bundle: run,
    conmonPath,
    runDir: run,
    exitDir: exits,
    log: logTargets(work.context.paths, work.pod, record, work.context.journal),
    tty: spec?.tty ?? false,
    stdin: (spec?.stdin && spec.stdinOnce ? 'once' : spec?.stdin) ?? false,
    exitHook: exitHookOf(work, record),
    beforeStart: pid => enterPodCgroup(work, pid),
  }
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
