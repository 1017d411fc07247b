/** Loading one pod to work on it, and writing back what became of it. */
import { TspodError } from '../errors.ts'
import type { EngineContext, PodWork } from './context.ts'
import { insertEvents } from './events/index.ts'
import type { Observed, SandboxState } from './plan/index.ts'
import type { Intent } from './play/index.ts'
import { observe } from './run/index.ts'
import type { Transaction } from './state/index.ts'
import {
  type ContainerRecord,
  type Lock,
  type PodRecord,
  readContainers,
  readSandbox,
  takeLock,
  updateContainer,
  updatePod,
} from './state/index.ts'
import { cgroupOf } from './unit.ts'

/** How long one command waits for another that works on the same pod. */
const LOCK_TIMEOUT_MS = 60_000

type Wanting = { signal?: AbortSignal; insist?: boolean }

/**
 * Takes the lock of one pod; who insists does not wait for those who only wait for its init containers. Throws
 * LOCK_TIMEOUT naming who has it.
 */
export function lockPod(context: EngineContext, name: string, command: string, how: Wanting = {}): Promise<Lock> {
  const { paths, clock } = context
  return takeLock({ paths, clock, name, command, timeoutMs: LOCK_TIMEOUT_MS, ...how })
}

/** Takes the locks of several pods, in sorted order, so that two commands never wait for each other. */
export async function lockPods(
  context: EngineContext,
  names: readonly string[],
  command: string,
  how: Wanting = {},
): Promise<Map<string, Lock>> {
  const locks = new Map<string, Lock>()
  try {
    for (const name of [...new Set(names)].sort()) locks.set(name, await lockPod(context, name, command, how))
    return locks
  } catch (error) {
    await releaseAll(locks.values())
    throw error
  }
}

/**
 * Takes the locks of Jobs, before those of any pods. Whoever makes or takes away pods of a Job has it, so that none is
 * made by one while another is taking them away. The lock files go when the locks do.
 */
export async function lockJobs(
  context: EngineContext,
  names: readonly string[],
  command: string,
  how: Wanting = {},
): Promise<AsyncDisposable> {
  const locks = await lockPods(
    context,
    names.map(name => `@job-${name}`),
    command,
    how,
  )
  return {
    [Symbol.asyncDispose]: async () => {
      for (const lock of locks.values()) await lock.removeFile()
      await releaseAll(locks.values())
      locks.clear()
    },
  }
}

/** Lets go of all the locks at once. */
export async function releaseAll(locks: Iterable<Lock>): Promise<void> {
  await Promise.all([...locks].map(lock => lock[Symbol.asyncDispose]()))
}

/** Work on one pod; of one that was just written nothing exists yet. */
export function workOn(
  context: EngineContext,
  intent: Intent,
  sandboxState: SandboxState = 'down',
  signal?: AbortSignal,
): PodWork {
  return {
    context,
    pod: intent.pod,
    containers: intent.containers,
    sandbox: intent.sandbox,
    sandboxState,
    cgroup: cgroupOf(context, intent.pod),
    images: new Map(),
    rootfs: new Map(),
    monitors: new Map(),
    patches: new Map(),
    podPatch: {},
    events: [],
    stopping: {},
    patient: true,
    together: [intent.pod.name],
    asked: new Set(),
    begun: [],
    forgotten: false,
    signal,
  }
}

/** Loads a pod that exists. Its lock has to be held. */
export async function loadWork(context: EngineContext, pod: PodRecord, signal?: AbortSignal): Promise<PodWork> {
  const [containers, sandbox] = await Promise.all([
    readContainers(context.store, [pod.id]),
    readSandbox(context.store, pod.id, context.boot),
  ])
  if (sandbox === undefined) {
    throw new TspodError('STORE_CORRUPT', `the record of pod ${pod.name} has no sandbox`, {
      remedy: 'run `tspod system fsck`',
    })
  }
  return workOn(context, { pod, containers, sandbox: sandbox.facts }, sandbox.state, signal)
}

/** Writes what changed of the pod and its containers; to be called inside a transaction. */
export async function writePatches(tx: Transaction, work: PodWork): Promise<void> {
  // Taken out first: other steps of the plan go on meanwhile and have more to write.
  const patches = [...work.patches]
  work.patches.clear()
  const podPatch = work.podPatch
  work.podPatch = {}
  const events = work.events.splice(0)
  await updatePod(tx, work.pod.id, podPatch)
  for (const [id, change] of patches) await updateContainer(tx, id, change)
  await insertEvents(tx, events)
}

/** Looks at one container of the pod. */
export function look(work: PodWork, record: ContainerRecord): Observed {
  const { paths, boot } = work.context
  return observe({ paths, boot, runtime: work.sandbox.runtime.name }, record)
}
