/**
 * Taking into the database again what it lost: pods by the copies of their records, and volumes by their directories.
 * What lives is found by the pid files that conmon wrote, and believed only when it is in the pod's own cgroup.
 */
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { processStart } from '../../files.ts'
import type { Id } from '../../model.ts'
import { readExit } from '../../oci/index.ts'
import { containerRunDirectory, exitDirectory } from '../../paths.ts'
import type { EngineContext } from '../context.ts'
import { eventAbout, insertEvents } from '../events/index.ts'
import {
  type ContainerRecord,
  insertContainer,
  insertManifest,
  insertPod,
  type PodCopy,
  type PodRecord,
  readContainer,
  readCopies,
  readJob,
  readPod,
  readPodById,
  readPodOf,
  type Transaction,
  updateContainer,
  updatePod,
  updateSandbox,
} from '../state/index.ts'
import { cgroupOf } from '../unit.ts'
import { lockPod } from '../work.ts'
import { textOf } from './gather-objects.ts'

/** Nobody saw the end of a container that is found gone. */
const UNSEEN_EXIT = 255

/**
 * Writes the records of a pod anew from its copy. What runs goes on; what does not run is not started: whether it was
 * to run is not known.
 * @throws NAME_IN_USE when another pod has its name meanwhile.
 */
export async function adoptPod(context: EngineContext, id: Id): Promise<void> {
  const copy = readCopies(context.paths).find(({ pod }) => pod.id === id)
  if (copy === undefined) return
  const { name } = copy.pod
  const lock = await lockPod(context, name, 'tspod system fsck --repair')
  try {
    const other = await readPod(context.store, name)
    if (other?.id === id) return
    if (other !== undefined) {
      throw new TspodError('NAME_IN_USE', `another pod is called ${name} now`, { remedy: 'remove that one first' })
    }
    const { service, job } = copy.pod
    const hasService = service !== undefined && (await readPodById(context.store, service)) !== undefined
    const hasJob = job !== undefined && (await readJob(context.store, job)) !== undefined
    await context.store.write(tx => write(tx, context, belongingTo(copy, { hasService, hasJob })))
  } finally {
    await lock[Symbol.asyncDispose]()
  }
}

/** What a pod belongs to may be lost for good: it goes on by itself then. */
function belongingTo(copy: PodCopy, { hasService, hasJob }: { hasService: boolean; hasJob: boolean }): PodCopy {
  const { service, job, ...pod } = copy.pod
  return {
    ...copy,
    pod: {
      ...pod,
      ...(hasService && service !== undefined && { service }),
      ...(hasJob && job !== undefined && { job }),
    },
  }
}

async function write(tx: Transaction, context: EngineContext, copy: PodCopy): Promise<void> {
  const { pod, containers, sandbox, manifest } = copy
  const found = containers.map(record => asFound(context, copy, record))
  const lives = found.some(({ state }) => state === 'running')
  const goal = lives ? 'running' : pod.goal === 'created' ? 'created' : 'stopped'
  await insertPod(tx, { ...pod, goal })
  if (manifest !== undefined) await insertManifest(tx, pod.id, manifest)
  for (const record of found) {
    await insertContainer(tx, { ...record, state: 'configured' })
    const { id, pod: _, shortName, kind, ordinal, createdMs, ...rest } = record
    await updateContainer(tx, id, { ...rest, goal: lives ? record.goal : goal })
  }
  await tx.run('INSERT INTO sandbox (pod, boot, facts, state) VALUES (?, ?, ?, ?)', [
    pod.id,
    context.boot,
    JSON.stringify(sandbox),
    lives ? 'up' : 'down',
  ])
  const startedMs = pod.startedMs === undefined ? {} : { startedMs: pod.startedMs }
  await updatePod(tx, pod.id, { complete: true, ...startedMs })
  const about = { kind: pod.kind, object: pod.id, name: pod.name, labels: pod.spec.labels } as const
  const what = { action: 'adopt', reason: 'Adopted', message: 'taken into the database again' }
  await insertEvents(tx, [eventAbout(context.clock.nowMs(), about, what)])
}

/** The record with the process that is there now, or with the end that conmon wrote down. */
function asFound(context: EngineContext, { pod }: PodCopy, record: ContainerRecord): ContainerRecord {
  const { pid: _, pidStart: __, monitorPid: ___, monitorStart: ____, boot: _____, ...rest } = record
  const run = findRun(context, pod, record)
  if (run !== undefined) return { ...rest, ...run }
  const exit = readExit(exitDirectory(context.paths), record.id)
  if (exit === undefined && record.startedMs === undefined) return { ...rest, state: 'configured' }
  const finishedMs = exit?.finishedMs ?? record.finishedMs ?? context.clock.nowMs()
  return { ...rest, state: 'exited', exitCode: exit?.code ?? record.exitCode ?? UNSEEN_EXIT, finishedMs }
}

type Run = Pick<ContainerRecord, 'state' | 'boot' | 'pid' | 'pidStart' | 'monitorPid' | 'monitorStart'>

/** The run of a container that is there by conmon's pid files and the kernel, whatever its record says. */
export function findRun(context: EngineContext, pod: PodRecord, { id }: ContainerRecord): Run | undefined {
  const { paths, boot } = context
  const directory = containerRunDirectory(paths, id)
  const container = processIn(join(directory, 'container.pid'))
  if (container === undefined || readExit(exitDirectory(paths), id) !== undefined) return undefined
  if (!textOf(`/proc/${container.pid}/cgroup`).includes(cgroupOf(context, pod).path)) return undefined
  const monitor = processIn(join(directory, 'conmon.pid'))
  return {
    state: 'running',
    boot,
    pid: container.pid,
    pidStart: container.start,
    ...(monitor !== undefined && { monitorPid: monitor.pid, monitorStart: monitor.start }),
  }
}

/** Records the run of a container that an older database does not know. */
export async function takeOver(context: EngineContext, id: Id): Promise<void> {
  const before = await readPodOf(context.store, id)
  if (before === undefined) return
  const lock = await lockPod(context, before.name, 'tspod system fsck --repair')
  try {
    const [pod, record] = await Promise.all([readPodOf(context.store, id), readContainer(context.store, id)])
    const run = pod && record && findRun(context, pod, record)
    if (run === undefined || run.pid === record?.pid) return
    const what = { goal: 'running', startedMs: context.clock.nowMs(), finishedMs: null, exitCode: null } as const
    await context.store.write(async tx => {
      await updateContainer(tx, id, { ...run, ...what, reason: '', message: '' })
      await updateSandbox(tx, before.id, context.boot, 'up')
      await updatePod(tx, before.id, { goal: 'running' })
    })
  } finally {
    await lock[Symbol.asyncDispose]()
  }
}

function processIn(file: string): { pid: number; start: string } | undefined {
  const pid = Number.parseInt(textOf(file), 10)
  const start = Number.isInteger(pid) ? processStart(pid) : undefined
  return start === undefined ? undefined : { pid, start }
}

/** A row for a volume that is there; its labels and annotations are lost. */
export async function adoptVolume({ store, clock }: EngineContext, name: string): Promise<void> {
  await store.write(tx =>
    tx.run('INSERT OR IGNORE INTO volume (name, labels, annotations, created_ms) VALUES (?, ?, ?, ?)', [
      name,
      '{}',
      '{}',
      clock.nowMs(),
    ]),
  )
}
