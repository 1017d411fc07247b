/**
 * Checkpoint and restore. A checkpoint ends its container, unless that is left running, and its images wait beside the
 * pod's other files until the container goes on from there. Its layer, volumes and address stay the pod's.
 */
import { existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { removeTree } from '../../files.ts'
import { checkpointContainer, containerCgroup, requireCriu, setFrozen, waitExit } from '../../oci/index.ts'
import { exitDirectory, podDirectory } from '../../paths.ts'
import { type EngineContext, type PodWork, patch, patchPod } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import {
  advance,
  atStart,
  deleteRun,
  holdPod,
  makeContainer,
  prepareSandboxFiles,
  reconcile,
  recordEnd,
  startExecutors,
  watched,
} from '../run/index.ts'
import { type ContainerRecord, specNamed, updateSandbox } from '../state/index.ts'
import type { CheckpointWish, RestoreWish } from '../types/index.ts'
import { addFailures, commitGoals, each, type Failures } from './batch.ts'
import { activate } from './goals.ts'

/** Its processes are dead once CRIU has them; conmon only has to say so. */
const END_WAIT_MS = 10_000

/** Where the images of a container are; they go with its pod. */
export function checkpointDirectory({ paths }: EngineContext, { id, pod }: ContainerRecord): string {
  return join(podDirectory(paths, pod), 'checkpoints', id)
}

/** True when there is something to restore it from. */
export function hasCheckpoint(context: EngineContext, record: ContainerRecord): boolean {
  return existsSync(join(checkpointDirectory(context, record), 'images'))
}

/** Writes running containers to files, one after the other: each takes the whole disk for itself. */
export async function checkpoint(
  work: PodWork,
  targets: readonly ContainerRecord[],
  failures: Failures,
  wish: CheckpointWish,
): Promise<void> {
  if (targets.length === 0) return
  for (const target of targets) await each([target], failures, record => checkpointOne(work, record, wish))
  await commitGoals(work)
  addFailures(failures, targets, await reconcile(work, false))
}

async function checkpointOne(work: PodWork, record: ContainerRecord, wish: CheckpointWish): Promise<void> {
  const { context, sandbox, pod } = work
  refuseSharers(work, record)
  await requireCriu(context.run, sandbox.runtime)
  const directory = checkpointDirectory(work.context, record)
  const fresh = `${directory}.new`
  await removeTree(fresh)
  const [imagePath, workPath] = [join(fresh, 'images'), join(fresh, 'work')]
  for (const path of [imagePath, workPath]) await mkdir(path, { recursive: true, mode: 0o700 })
  const before = { state: record.state, goal: record.goal }
  if (!wish.leaveRunning) {
    // A stop on purpose: whoever comes after a crash does not take its end for one, and starts nothing.
    patch(work, record.id, { state: advance(record.state, 'stopRequested'), goal: 'stopped' })
    await commitGoals(work)
    holdPod(context.paths, pod.id)
  }
  try {
    await checkpointContainer(context.run, sandbox.runtime, record.id, { ...wish, imagePath, workPath })
  } catch (error) {
    // CRIU may have been killed while everything was frozen.
    await setFrozen(context.hierarchies, containerCgroup(work.cgroup, record.shortName), false, context.clock).catch(
      () => undefined,
    )
    patch(work, record.id, before)
    if (!wish.keep) await removeTree(fresh)
    throw error
  }
  if (!wish.keep) await removeTree(workPath)
  await removeTree(directory)
  await rename(fresh, directory)
  noteEvent(work, record, { action: 'checkpoint', reason: 'Checkpointed' })
  if (!wish.leaveRunning) await recordCheckpointed(work, record)
}

async function recordCheckpointed(work: PodWork, record: ContainerRecord): Promise<void> {
  const { clock, paths } = work.context
  const exits = exitDirectory(paths)
  const verdict = (await waitExit(exits, [watched(record)], END_WAIT_MS, clock)).get(record.id)
  recordEnd(work, record, verdict?.is === 'exited' ? verdict.exit : undefined)
  patch(work, record.id, { reason: 'Checkpointed', message: 'it goes on from there by `tspod restore`' })
}

/** CRIU takes a container with all it has: processes of others in its PID namespace would be missing. */
function refuseSharers({ pod }: PodWork, { name, kind }: ContainerRecord): void {
  const why =
    kind === 'infra' || kind === 'service'
      ? 'it only holds others together'
      : pod.spec.shareProcessNamespace || pod.spec.hostPid
        ? 'it shares its PID namespace'
        : undefined
  if (why === undefined) return
  throw new TspodError('WRONG_STATE', `container ${name} cannot be checkpointed: ${why}`, {
    remedy: 'stop and start it instead',
  })
}

/** Lets ended containers go on from their checkpoints. */
export async function restore(
  work: PodWork,
  targets: readonly ContainerRecord[],
  failures: Failures,
  wish: RestoreWish,
): Promise<void> {
  if (targets.length === 0) return
  for (const target of targets) await each([target], failures, record => restoreOne(work, record, wish))
  await commitGoals(work)
  addFailures(failures, targets, await reconcile(work, false))
}

async function restoreOne(work: PodWork, record: ContainerRecord, wish: RestoreWish): Promise<void> {
  const { context, pod } = work
  const directory = checkpointDirectory(work.context, record)
  const imagePath = join(directory, 'images')
  if (!hasCheckpoint(context, record)) throw noCheckpoint(record)
  await requireCriu(context.run, work.sandbox.runtime)
  const { goal: podGoal } = pod
  const { goal, state, exitCode, reason, message } = record
  const before = { goal, state, reason, message, ...(exitCode !== undefined && { exitCode }) }
  const { failure = null, failureMessage = null, failedMs = null } = pod
  activate(work)
  patch(work, record.id, { state: advance(record.state, 'reset'), goal: 'running', killed: false })
  await commitGoals(work)
  holdPod(context.paths, pod.id)
  try {
    await raiseSandbox(work)
    const executors = startExecutors(work)
    await executors.rootfs(stepOf('rootfs', record))
    await makeContainer(work, record, await prepareSandboxFiles(work), { ...wish, imagePath })
  } catch (error) {
    await deleteRun(work, record)
    pod.goal = podGoal
    patchPod(work, { failure, failureMessage, failedMs })
    patch(work, record.id, before)
    throw error
  }
  patch(work, record.id, {
    state: advance(record.state, 'started'),
    startedMs: context.clock.nowMs(),
    // It was told of its start in the run that goes on here.
    ...atStart({ ...specNamed(pod.spec, record.shortName), hooks: {} }),
    reason: '',
    message: '',
  })
  noteEvent(work, record, { action: 'restore', reason: 'Restored' })
  if (!wish.keep) await removeTree(directory)
}

/** Namespaces and network, which a pod at rest does not have. */
async function raiseSandbox(work: PodWork): Promise<void> {
  if (work.sandboxState === 'up') return
  const { store, boot } = work.context
  const executors = startExecutors(work)
  await store.write(tx => updateSandbox(tx, work.pod.id, boot, 'changing'))
  await executors.sandbox({ do: 'sandbox', ...STEP })
  await executors.network({ do: 'network', ...STEP })
  work.sandboxState = 'up'
  await store.write(tx => updateSandbox(tx, work.pod.id, boot, 'up'))
}

const STEP = { id: '', after: [], order: [], because: 'it is to be restored' }
const stepOf = <K extends 'rootfs'>(what: K, { id }: ContainerRecord) => ({ ...STEP, do: what, container: id })

/** Podman's words for it. */
export const noCheckpoint = ({ name }: ContainerRecord): TspodError =>
  new TspodError(
    'WRONG_STATE',
    `a checkpoint for container ${name} cannot be found, cannot restore: container state improper`,
    { remedy: 'make one while it runs: tspod checkpoint; or name an archive with --import' },
  )
