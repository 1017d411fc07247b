/**
 * Limits of disk space: of emptyDirs, and of what containers write to their layers, logs and emptyDirs. As with a
 * kubelet they are looked at now and then, and a pod that is over one is evicted. The timekeeper measures, so that
 * nothing of ours has to run: it reads what to measure from a file in the pod's run directory.
 */
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { removeTree, writeAtomic } from '../../files.ts'
import type { PodSpec } from '../../model.ts'
import { limitsFile, podDirectory } from '../../paths.ts'
import { type EngineContext, type PodWork, patchPod } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { wakeTimekeeper } from '../timekeeper.ts'
import { logPath } from './log-path.ts'

/** `message` says in the kubelet's words what has become of a pod that is over it. */
export type StorageLimit = { maxBytes: number; paths: string[]; message: string }

/** Where things are that may grow; a container has no layer or no log where that is not a directory or file of its own. */
export type Growing = {
  emptyDir: (name: string) => string
  container: (name: string) => { layer?: string | undefined; log: string }
}

const MEASURE_TIMEOUT_MS = 60_000
const woken = new WeakSet<EngineContext>()

/** All limits of a pod in the order in which a kubelet looks at them; empty for most pods. Pure. */
export function storageLimits(spec: PodSpec, growing: Growing): StorageLimit[] {
  const onDisk = spec.volumes.filter(volume => volume.kind === 'emptyDir' && volume.medium === 'disk')
  const emptyDirs = onDisk.flatMap(({ name, ...volume }) =>
    'sizeBytes' in volume && volume.sizeBytes !== undefined
      ? {
          maxBytes: volume.sizeBytes,
          paths: [growing.emptyDir(name)],
          message: `Usage of EmptyDir volume "${name}" exceeds the limit "${quantityOf(volume.sizeBytes)}".`,
        }
      : [],
  )
  const all = [...spec.initContainers, ...spec.containers]
  const own = (name: string): string[] => {
    const { layer, log } = growing.container(name)
    return [layer ?? '', log].filter(path => path !== '')
  }
  const containers = all.flatMap(({ name, resources: { storageLimitBytes: maxBytes } }) =>
    maxBytes === undefined
      ? []
      : {
          maxBytes,
          paths: own(name),
          message: `Container ${name} exceeded its local ephemeral storage limit "${quantityOf(maxBytes)}".`,
        },
  )
  if (containers.length === 0) return emptyDirs
  const maxBytes = containers.reduce((sum, limit) => sum + limit.maxBytes, 0)
  const paths = [...all.flatMap(({ name }) => own(name)), ...onDisk.map(({ name }) => growing.emptyDir(name))]
  const message = `Pod ephemeral local storage usage exceeds the total limit of containers ${quantityOf(maxBytes)}.`
  return [...emptyDirs, { maxBytes, paths, message }, ...containers]
}

/** A number of bytes as people write it in manifests: in the largest binary unit without a fraction. */
export function quantityOf(bytes: number): string {
  const unit = [...'EPTGMK'].findIndex((_, index) => bytes > 0 && bytes % 1024 ** (6 - index) === 0)
  return unit === -1 ? String(bytes) : `${bytes / 1024 ** (6 - unit)}${'EPTGMK'[unit]}i`
}

/** To know whether there is a limit nobody has to look where anything is. */
const NOWHERE: Growing = { emptyDir: name => name, container: () => ({ log: '' }) }

const isLimited = (spec: PodSpec): boolean => storageLimits(spec, NOWHERE).length > 0

/**
 * Has the timekeeper measure what a pod that is up uses, where it has limits; without one it goes on as it is, and
 * that is told.
 */
export async function watchStorage(work: PodWork): Promise<void> {
  const { context, pod } = work
  if (!isLimited(pod.spec) || pod.failure !== undefined || work.sandboxState !== 'up') return
  const lines = (await limitsOf(work)).map(({ maxBytes, paths }) =>
    [Math.floor(maxBytes / 1024), ...paths].join('\t').replaceAll('\n', ''),
  )
  const text = `${lines.join('\n')}\n`
  const file = limitsFile(context.paths, pod.id)
  if ((await readFile(file, 'utf8').catch(() => undefined)) === text) return
  await writeAtomic(file, text, 0o600, { durable: false })
  // Once for all pods of a play: it has not said that it is there yet when the second one comes.
  if (woken.has(context)) return
  woken.add(context)
  await wakeTimekeeper(context).catch(error =>
    context.warn(`pod ${pod.name}: nobody looks after its limits of disk space: ${error.message}`),
  )
}

/**
 * Nothing is measured of a pod at rest, and one that was evicted gives back the disk that its emptyDirs take, as with
 * a kubelet. Gone already is success.
 */
export async function unwatchStorage({ context: { paths }, pod }: PodWork): Promise<void> {
  if (!isLimited(pod.spec)) return
  await rm(limitsFile(paths, pod.id), { force: true })
  if (pod.failure === 'Evicted') await removeTree(join(podDirectory(paths, pod.id), 'volumes'))
}

/**
 * Measures once more, and has the pod fail where it is over a limit: the next plan stops it. Its lock has to be held.
 * The timekeeper's measure may be old by now, or that of a pod that has come to rest.
 */
export async function evictOver(work: PodWork): Promise<void> {
  const { context, pod } = work
  if (pod.goal !== 'running' || pod.failure !== undefined || work.sandboxState !== 'up') return unwatchStorage(work)
  for (const { maxBytes, paths, message } of await limitsOf(work)) {
    const { stdout } = await context.run({ argv: ['du', '-skxc', ...paths], timeoutMs: MEASURE_TIMEOUT_MS })
    // It complains of files that went meanwhile; the last line is the sum whatever it complained of.
    const usedKib = Number(/(\d+)\s+total\s*$/.exec(stdout)?.[1])
    if (!(usedKib > Math.floor(maxBytes / 1024))) continue
    patchPod(work, { failure: 'Evicted', failureMessage: message, failedMs: context.clock.nowMs() })
    noteEvent(work, undefined, { action: 'fail', reason: 'Evicted', warning: true, message })
    return
  }
}

async function limitsOf({ context, pod, containers }: PodWork): Promise<StorageLimit[]> {
  const mounted = await (await context.rootfs()).mounted()
  return storageLimits(pod.spec, {
    emptyDir: name => join(podDirectory(context.paths, pod.id), 'volumes', name),
    container: name => {
      const record = containers.find(({ shortName }) => shortName === name)
      if (record === undefined) return { log: '' }
      // Other drivers of the store than overlay have no directory for what is the container's alone.
      const layer = join(dirname(mounted.get(record.id)?.path ?? '/nowhere'), 'diff')
      return { layer: existsSync(layer) ? layer : undefined, log: logPath(context.paths, pod, record) }
    },
  })
}
