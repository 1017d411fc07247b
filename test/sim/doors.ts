/**
 * What the engine's doors to the host are replaced with: see hooks.ts. The engine's own modules run as they are; here
 * are only those that would touch the kernel, files outside the store, or other programs.
 */
import { basename, dirname } from 'node:path'
import * as planning from '../../src/engine/plan/index.ts'
import type * as bundles from '../../src/engine/run/bundle.ts'
import type * as sandboxes from '../../src/engine/run/sandbox.ts'
import type * as locks from '../../src/engine/state/lock.ts'
import { TspodError } from '../../src/errors.ts'
import type { Id } from '../../src/model.ts'
import type * as oci from '../../src/oci/index.ts'
import type { Exit, Verdict } from '../../src/oci/index.ts'
import { type Paths, podRunDirectory } from '../../src/paths.ts'
import { world } from './current.ts'
import type { Run } from './kernel.ts'

export {
  execute,
  FAILED_CHECKS,
  FAILURE_MESSAGES,
  judgedCode,
  judgeExit,
  planJob,
  runsAgain,
  termsFor,
} from '../../src/engine/plan/index.ts'
export { ownNamespaces } from '../../src/engine/run/sandbox.ts'
export { mountsOf, prepareVolumes } from '../../src/engine/volumes/volumes.ts'
export * from '../../src/files.ts'
export * from '../../src/oci/index.ts'

const effect = <T>(label: string, act: () => T): Promise<T> => world().scheduler.effect(label, act)
const atOnce = <T>(label: string, act: () => T): T => world().scheduler.atOnce(label, act)

// Plans are looked at before they are carried out.

export const planPod: typeof planning.planPod = input => {
  const plan = planning.planPod(input)
  world().rules.plan(input, plan)
  return plan
}

// Processes and their ends.

export const isAlive: typeof oci.isAlive = ({ pid, start }) => world().kernel.isAlive(pid, start)

export const judgeProcess: typeof oci.judgeProcess = (exitDir, watched) => {
  const exit = world().kernel.files.get(`${exitDir}/${watched.id}`) as Exit | undefined
  if (exit !== undefined) return { is: 'exited', exit }
  if (isAlive(watched.monitor)) return { is: 'running' }
  return isAlive(watched.container) ? { is: 'monitor-lost' } : { is: 'lost' }
}

export const waitExit: typeof oci.waitExit = async (exitDir, containers, timeoutMs, _clock, signal) => {
  const { scheduler, kernel } = world()
  const deadline = scheduler.monoMs + timeoutMs
  for (;;) {
    signal?.throwIfAborted()
    const verdicts = new Map<Id, Verdict>()
    for (const one of containers) {
      const verdict = judgeProcess(exitDir, one)
      if (verdict.is !== 'running') verdicts.set(one.id, verdict)
    }
    const leftMs = deadline - scheduler.monoMs
    if (verdicts.size === containers.length || leftMs <= 0) return effect('waited', () => verdicts)
    const pause = new AbortController()
    const late = scheduler.sleep(leftMs, pause.signal).catch(() => undefined)
    const aborted = new Promise<void>(resolve => signal?.addEventListener('abort', () => resolve()))
    await Promise.race([kernel.news(), late, aborted])
    pause.abort()
  }
}

export const waitGone: typeof oci.waitGone = async (process, timeoutMs, _clock, signal) => {
  const { scheduler } = world()
  const deadline = scheduler.monoMs + timeoutMs
  while (isAlive(process)) {
    if (scheduler.monoMs >= deadline) return false
    // Coarser than the real thing: half a minute of grace is not worth hundreds of looks.
    await scheduler.sleep(Math.min(500, deadline - scheduler.monoMs), signal)
  }
  return effect('gone', () => true)
}

export const signalContainer: typeof oci.signalContainer = (pid, start, signal) =>
  atOnce(`signal ${world().kernel.runOf(pid, start)?.name} ${signal}`, () => {
    const run = world().kernel.runOf(pid, start)
    if (run !== undefined) world().rules.signal(run, signal)
    return world().kernel.signal(pid, start, signal)
  })

// Container runtime and monitor.

const known = (root: string, id: Id): string => `${root}/${id}`

export const isKnown: typeof oci.isKnown = (runtime, id) => world().kernel.exists(known(runtime.root, id))

export const createContainer: typeof oci.createContainer = async input => {
  const { kernel, rules } = world()
  const pod = basename(input.exitHook[4] ?? '')
  await input.beforeStart?.(0)
  const created = await effect(`create ${input.name}`, () => {
    if (isKnown(input.runtime, input.id)) throw new Error(`container ${input.name} exists already`)
    kernel.remove(`${input.exitDir}/${input.id}`)
    rules.create(input.id, pod)
    const run = kernel.create(input.id, pod, input.name)
    kernel.files.set(`${input.runDir}/container.pid`, true)
    for (const { path } of input.log) if (path !== '') kernel.files.set(path, true)
    kernel.files.set(`${known(input.runtime.root, input.id)}/status`, true)
    kernel.files.set(`${known(input.runtime.root, input.id)}/exec.fifo`, true)
    return run
  })
  const { process, monitor } = created
  return { pid: process.pid, start: process.start, conmonPid: monitor.pid, conmonStart: monitor.start }
}

export const startContainer: typeof oci.startContainer = (_run, runtime, id, name) =>
  effect(`start ${name}`, () => {
    const { kernel, rules } = world()
    const run = kernel.runs.get(id)
    const fifo = `${known(runtime.root, id)}/exec.fifo`
    if (run === undefined || !run.process.alive || !kernel.files.delete(fifo)) {
      throw new Error(`container ${name} cannot be started: it is not created`)
    }
    rules.start(run)
    kernel.start(run)
  })

export const deleteContainer: typeof oci.deleteContainer = (_run, runtime, id) =>
  effect(`delete ${world().kernel.runs.get(id)?.name ?? id}`, () => {
    const { kernel, rules } = world()
    const run = kernel.runs.get(id)
    if (run?.process.alive && isKnown(runtime, id)) {
      rules.deletion(run)
      kernel.end(run, 137)
    }
    kernel.remove(known(runtime.root, id))
  })

export const forgetContainer: typeof oci.forgetContainer = async (runtime, id) =>
  world().kernel.remove(known(runtime.root, id))

// Cgroups, namespaces, network.

const runAt = (path: string): Run | undefined =>
  [...world().kernel.runs.values()].find(
    run => path.includes(run.pod.slice(0, 12)) && `-${run.name}`.endsWith(`-${basename(path)}`),
  )

/** Those of a container's cgroup, or of a pod's. */
const runsBelow = (path: string): Run[] => {
  const ofPod = [...world().kernel.runs.values()].filter(run => path.endsWith(`-${run.pod.slice(0, 12)}`))
  return ofPod.length > 0 ? ofPod : [runAt(path) ?? []].flat()
}

export const thawCgroup: typeof oci.thawCgroup = (_hierarchies, path) => {
  const run = runAt(path)
  if (run !== undefined) world().kernel.freeze(run, false)
}

export const setFrozen: typeof oci.setFrozen = (_hierarchies, path, frozen) =>
  effect(frozen ? 'freeze' : 'thaw', () => {
    const run = runAt(path)
    if (run === undefined) throw new Error(`no cgroup ${path}`)
    world().kernel.freeze(run, frozen)
  })

export const killCgroup: typeof oci.killCgroup = () => undefined

export const removeCgroup: typeof oci.removeCgroup = (_hierarchies, path) =>
  effect('cgroup', () => {
    const { kernel, rules } = world()
    const { cgroups } = kernel
    for (const run of runsBelow(path)) {
      if (!run.process.alive) continue
      rules.deletion(run)
      kernel.end(run, 137)
    }
    for (const one of cgroups) if (one === path || one.startsWith(`${path}/`)) cgroups.delete(one)
    return 'removed' as const
  })

export const unpinNamespaces: typeof oci.unpinNamespaces = directory =>
  atOnce('unpin', () => {
    world().rules.touches(basename(dirname(directory)), 'unpin')
    world().kernel.pinned.delete(basename(dirname(directory)))
    world().kernel.remove(directory)
  })

export const loadNetwork: typeof oci.loadNetwork = async (_paths, name) => ({
  name,
  id: 'e'.repeat(64),
  driver: 'bridge',
  network_interface: 'tspod0',
  subnets: [{ subnet: '10.91.0.0/16', gateway: '10.91.0.1' }],
  ipv6_enabled: false,
  internal: false,
  dns_enabled: true,
  ipam_options: { driver: 'host-local' },
  options: {},
})

export const annotatedRuntime: typeof oci.annotatedRuntime = async () => undefined

export const pinSandbox: typeof sandboxes.pinSandbox = work =>
  atOnce('sandbox', () => {
    if (work.pod.kind === 'service') return
    world().rules.touches(work.pod.id, 'sandbox')
    world().kernel.pinned.add(work.pod.id)
    world().kernel.files.set(`${work.sandbox.namespaces}/net`, true)
  })

export const attachNetwork: typeof sandboxes.attachNetwork = work =>
  effect('network', () => {
    const { kernel, rules } = world()
    if (work.pod.kind === 'service') return
    rules.touches(work.pod.id, 'network')
    if (!kernel.pinned.has(work.pod.id)) rules.accuse(`${work.pod.name}: network without namespaces`)
    if (work.sandbox.network !== undefined) kernel.connected.add(work.pod.id)
    rules.connected(work.pod.id)
  })

export const prepareSandboxFiles: typeof sandboxes.prepareSandboxFiles = work =>
  effect('volumes', () => {
    const { kernel } = world()
    kernel.volumes.add(work.pod.id)
    kernel.files.set(`${podRunDirectory(work.context.paths, work.pod.id)}/etc-hosts`, true)
    return {} as Awaited<ReturnType<typeof sandboxes.prepareSandboxFiles>>
  })

export const enterPodCgroup: typeof sandboxes.enterPodCgroup = async work => {
  await effect('scope', () => world().kernel.cgroups.add(work.cgroup.control))
}

export const removeVolumes = (podId: Id): Promise<void> =>
  effect('remove volumes', () => {
    world().kernel.volumes.delete(podId)
  })

// Files, images, bundles.

export const existsSync = (path: string): boolean => world().kernel.exists(path)

export const removeTree = (path: string): Promise<void> =>
  effect(`remove ${basename(path)}`, () => world().kernel.remove(path))

export const wasOomKilled = (): boolean => false
export const readBeneath = (): undefined => undefined

export const imageOf: typeof bundles.imageOf = async () => ({}) as Awaited<ReturnType<typeof bundles.imageOf>>

export const requireImage: typeof bundles.requireImage = async () => undefined

export const bundleFor: typeof bundles.bundleFor = async (_work, record) =>
  effect(`bundle ${record.name}`, () => {
    const { kernel, rules } = world()
    if (record.kind !== 'infra' && record.kind !== 'service' && kernel.layers.get(record.id) !== 'mounted') {
      rules.accuse(`${record.name}: created without its root file system`)
    }
    return { imageId: 'i', command: [], stopSignal: 'SIGTERM' }
  })

// Marks, locks, clocks, other processes of tspod.

export const holdPod = (paths: Paths, podId: string): void =>
  atOnce('hold', () => {
    const { holds, kernel, scheduler } = world()
    holds.set(podId, scheduler.here())
    kernel.files.set(`${podRunDirectory(paths, podId)}/hold`, true)
  })

export const unholdPod = (paths: Paths, podId: string): void =>
  atOnce('unhold', () => {
    const { holds, kernel } = world()
    holds.delete(podId)
    kernel.files.delete(`${podRunDirectory(paths, podId)}/hold`)
  })

export const takeLock: typeof locks.takeLock = async ({ name, timeoutMs, insist, signal }) => {
  const { scheduler, locks: held, lockFiles, wishes } = world()
  const deadline = scheduler.monoMs + timeoutMs
  const me = scheduler.here()
  const take = (): boolean => {
    if (held.get(name)?.alive) return false
    held.set(name, me)
    lockFiles.add(name)
    return true
  }
  try {
    while (!(await effect(`lock ${name}`, take))) {
      if (insist) wishes.set(name, me)
      if (scheduler.monoMs > deadline) throw new TspodError('LOCK_TIMEOUT', `pod ${name} is held`, { remedy: 'wait' })
      await scheduler.sleep(250, signal)
    }
  } finally {
    if (wishes.get(name) === me) wishes.delete(name)
  }
  return {
    removeFile: async () => {
      if (me.alive) lockFiles.delete(name)
    },
    [Symbol.asyncDispose]: async () => {
      if (held.get(name) === me) held.delete(name)
    },
  }
}

export const wantedBy: typeof locks.wantedBy = async (_paths, name) =>
  world().wishes.get(name)?.alive ? 'another' : undefined

/** Nothing here damages the database. */
export const keepBackup = async (): Promise<void> => undefined
export const backupsOf = (): string[] => []

export const wakeTimekeeper = (): Promise<void> => effect('wake the timekeeper', () => world().timekeeper.wake())
export const nudgeTimekeeper = (): boolean => atOnce('nudge the timekeeper', () => world().timekeeper.nudge())

/** Helpers of killed processes have ended here as soon as those were killed; monitors have not. */
export const endStrays = (ids: readonly string[], endMonitors: boolean): Promise<void> =>
  effect('strays', () => {
    const { kernel } = world()
    if (!endMonitors) return
    for (const id of ids) {
      const run = kernel.runs.get(id as Id)
      if (run?.monitor.alive) kernel.killMonitor(run)
    }
  })

/** The monitor of a run that no record names ends without a word. */
export const endSilentMonitor = (_run: string, exits: string, id: Id): Promise<void> =>
  effect('silent monitor', () => {
    const { kernel } = world()
    const run = kernel.runs.get(id)
    if (run?.monitor.alive && !kernel.files.has(`${exits}/${id}`)) kernel.killMonitor(run)
  })

export const randomHex = (bytes: number): string => {
  const { random } = world().scheduler
  let text = ''
  for (let index = 0; index < bytes * 2; index++) text += random.below(16).toString(16)
  return text
}

/** Copies are for the day the database is damaged, which never comes here. */
export const keepCopy = (): void => undefined
export const dropCopy = (): void => undefined
export const readCopies = (): [] => []

// The prober: pods of these histories have no probes.

export const tendProber = async (): Promise<void> => undefined
export const missProber = async (): Promise<void> => undefined
export const wakeProber = async (): Promise<void> => undefined
export const wantProber = (): void => undefined
