/**
 * Taking a pod away: stop its containers, then free everything it had. Every step is idempotent, none stops the
 * others, and what could not be freed is reported while the pod's row stays, so that the next attempt goes on.
 */
import { join } from 'node:path'
import { removeTree } from '../files.ts'
import type { Id } from '../model.ts'
import {
  deleteContainer,
  killCgroup,
  type NetavarkInput,
  removeCgroup,
  signalContainer,
  unpinNamespaces,
  waitExit,
} from '../oci/index.ts'
import { exitDirectory, podDirectory, podLogDirectory } from '../paths.ts'
import { type PodWork, patch, placesOf } from './context.ts'
import { recordEnd } from './ends.ts'
import { holdPod } from './hold.ts'
import type { Lock } from './lock.ts'
import { deletePod, updatePod } from './records.ts'
import { watched } from './start.ts'
import { endStrays } from './strays.ts'
import { removeVolumes } from './volumes.ts'
import { look } from './work.ts'

/** After KILL the kernel needs a moment; a process stuck in it longer than this is reported. */
const KILL_WAIT_MS = 10_000

export type Teardown = {
  /** True when at least one container had to be stopped. */
  stopped: boolean
  /** What could not be freed, one sentence each; empty when the pod is gone. */
  failures: string[]
}

/** Stops and removes the pod. Its lock has to be held; the lock file goes with the pod. */
export async function tearDown(work: PodWork, lock: Lock): Promise<Teardown> {
  const { context, pod } = work
  holdPod(context.paths, pod.id)
  await context.store.write(tx => updatePod(tx, pod.id, { goal: 'removed' }))
  // A play or an earlier removal was killed: its helpers may still be at work on the same things.
  if (!pod.complete || pod.goal === 'removed') {
    await endStrays([pod.id, ...work.containers.map(container => container.id)], !pod.complete, context.clock)
  }
  const stopped = await stopAll(work)
  const failures = await releaseAll(work)
  if (failures.length > 0) return { stopped, failures }
  await context.store.write(tx => deletePod(tx, pod.id))
  await lock.removeFile()
  return { stopped, failures }
}

/**
 * Asks all running containers to stop, at once, and kills after the pod's grace what is still there.
 * True when something had to be stopped.
 */
async function stopAll(work: PodWork): Promise<boolean> {
  const { clock, paths } = work.context
  const running = work.containers.filter(
    container => container.kind !== 'infra' && look(work, container).at === 'running',
  )
  if (running.length === 0) return false
  for (const container of running) {
    if (container.pid === undefined || container.pidStart === undefined) continue
    signalContainer(container.pid, container.pidStart, container.stopSignal as NodeJS.Signals)
    if (container.state === 'running') patch(work, container.id, { state: 'stopping' })
  }
  const exits = exitDirectory(paths)
  const targets = running.map(watched)
  const ended = await waitExit(exits, targets, work.pod.spec.graceMs, clock, work.signal)
  const left = targets.filter(target => !ended.has(target.id) || ended.get(target.id)?.is === 'monitor-lost')
  for (const { container } of left) signalContainer(container.pid, container.start, 'SIGKILL')
  if (left.length > 0) await waitExit(exits, left, KILL_WAIT_MS, clock)
  for (const container of running) {
    const verdict = ended.get(container.id)
    recordEnd(work, container, verdict?.is === 'exited' ? verdict.exit : undefined)
  }
  return true
}

/** Frees everything, side by side where nothing depends; returns what failed. */
async function releaseAll(work: PodWork): Promise<string[]> {
  const { context, pod, cgroup } = work
  const { run, paths, clock } = context
  const ids = work.containers.map(container => container.id)
  const rootfs = await context.rootfs()
  const keepTop = cgroup.scope !== undefined
  const failures: string[] = []
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      failures.push(`${what}: ${(error as Error).message}`)
    }
  }
  const inOrder = async (...steps: (() => Promise<void>)[]): Promise<void> => {
    for (const step of steps) await step()
  }
  await Promise.all([
    inOrder(
      () => attempt('containers', () => deleteAll(work, ids)),
      () => attempt('cgroup', () => removeCgroup(context.hierarchies, cgroup.path, { force: true, keepTop, clock })),
    ),
    inOrder(
      () => attempt('network', () => releaseNetwork(work)),
      () => attempt('namespaces', () => unpinNamespaces(run, work.sandbox.namespaces)),
    ),
    ...ids.map(id => attempt('root file system', () => rootfs.remove(id))),
    attempt('volumes', () => removeVolumes(pod.id, paths, run)),
  ])
  if (failures.length > 0) return failures
  // Last, because the steps above need what is in it when they have to be repeated.
  await attempt('files', () => removeFiles(work, ids))
  return failures
}

async function deleteAll(work: PodWork, ids: readonly Id[]): Promise<void> {
  const { context, sandbox } = work
  const outcomes = await Promise.allSettled(
    ids.map(id => deleteContainer(context.run, sandbox.runtime, id, { force: true })),
  )
  const failed = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [(outcome.reason as Error).message] : []))
  if (failed.length === 0) return
  // A runtime that cannot end a container does not decide about it: its cgroup knows its processes.
  killCgroup(context.hierarchies, work.cgroup.path)
  await Promise.all(ids.map(id => deleteContainer(context.run, sandbox.runtime, id, { force: true })))
}

async function releaseNetwork(work: PodWork): Promise<void> {
  const { sandbox, context } = work
  if (sandbox.network === undefined) return
  const input = sandbox.network as NetavarkInput
  await context.networks.teardown(join(sandbox.namespaces, 'net'), input)
}

async function removeFiles(work: PodWork, ids: readonly Id[]): Promise<void> {
  const { paths } = work.context
  await Promise.all(
    ids.flatMap(id => {
      const { run, exits } = placesOf(work, id)
      return [removeTree(run), removeTree(join(exits, id))]
    }),
  )
  await Promise.all([
    removeTree(podDirectory(paths, work.pod.id)),
    removeTree(podLogDirectory(paths, work.pod.name, work.pod.id)),
    removeTree(placesOf(work, work.pod.id).pod),
  ])
}
