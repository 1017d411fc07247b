/** The loop's hands on this host. */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../digest.ts'
import { writeAtomic } from '../../files.ts'
import { rememberTrees, type TranslateOptions, translate } from '../../kube/index.ts'
import { type Bundle, servingContainers, type VolumeSpec } from '../../model.ts'
import { findImage, listImages } from '../../oci/index.ts'
import { gitopsDirectory } from '../../paths.ts'
import { collectSnapshots, readSnapshot, readVariables, revisionNow, tidyMirror } from '../../source/index.ts'
import { systemdPresent } from '../../systemd/index.ts'
import { objectLabel } from '../../words.ts'
import type { EngineContext } from '../context.ts'
import { type PodRecord, readPods } from '../state/index.ts'
import type { Engine } from '../types/index.ts'
import { hostPathProblem, storedSecrets } from '../volumes/index.ts'
import { writeInventory } from './export.ts'
import type { FilledWith, Hands, SourceSnapshot } from './hands.ts'
import { type Claim, claimsOfPod } from './preflight.ts'
import type { SourceRecord } from './store.ts'
import { openUnitMode } from './unit-mode.ts'

type Applying = Pick<Engine, 'apply' | 'planApply' | 'settled' | 'apps'>

/** Everything the loop does, done for real. */
export function realHands(context: EngineContext, engine: Applying): Hands {
  const { store, clock } = context
  const unitMode = openUnitMode(context)
  return {
    store,
    nowMs: () => clock.nowMs(),
    read: (source, signal) => readSnapshot(snapshotWish(source), sourceDoors(context, signal)),
    revision: (source, signal) => revisionNow(snapshotWish(source), sourceDoors(context, signal)),
    translate: (files, root, keptWith) => translateFiles(context, { files, root, keptWith }),
    variables: async file => readVariables(file),
    host: (app, filled) => hostState(context, app, filled),
    unready: source => unreadyOf(engine, source),
    claims: () => allClaims(context),
    paths: wrongPaths,
    images: bundle => imagesOf(context, bundle),
    inventory: (source, images) => writeInventory(context, source, images),
    collect: (source, kept, signal) => collect(context, source, kept, signal),
    settled: inputs => engine.settled(inputs),
    plan: (job, signal) => (job.source.units ? unitMode.plan(job) : engine.planApply(job.request, signal)),
    apply: (job, told, signal) =>
      job.source.units
        ? unitMode.apply(job, told, signal)
        : engine.apply(job.request, ({ object, text }) => told(object === '' ? text : `${object}: ${text}`), signal),
  }
}

const snapshotWish = ({ name, from, path, recursive, credentials, verify, applied, rewind }: SourceRecord) => ({
  name,
  from,
  ...(path !== undefined && { path }),
  ...(recursive && { recursive }),
  ...(credentials !== undefined && { credentials }),
  ...(verify !== undefined && { verifyFile: verify }),
  ...(applied !== undefined && { applied: applied.revision }),
  ...(rewind && { allowRewind: true }),
})

const sourceDoors = (context: EngineContext, signal: AbortSignal) => ({
  run: context.run,
  clock: context.clock,
  directory: gitopsDirectory(context.paths),
  env: context.environment ?? {},
  signal,
  // What it fails with is met again when it is needed.
  fetching: () => void getReady(context).catch(() => undefined),
})

/** What an apply of something new will need, and what takes 30 ms of this thread. */
async function getReady(context: EngineContext): Promise<void> {
  if (systemdPresent()) context.manager.prepare()
  await (await import('../apply/index.ts')).lookAhead(context)
}

/** Units say so themselves: one that does not come up cannot be started. */
async function unreadyOf(engine: Applying, { name, units }: SourceRecord): Promise<string[]> {
  const app = units ? undefined : (await engine.apps()).find(each => each.name === name)
  if (app === undefined || app.health === 'Healthy') return []
  return app.objects.filter(({ ready = 0, total = 0 }) => ready < total).map(objectLabel)
}

type Files = { files: SourceSnapshot['files']; root: string; keptWith: string | undefined }

/** Translates the files of a source; what YAML the last revision had in common with them is not read again. */
async function translateFiles(context: EngineContext, { files, root, keptWith }: Files) {
  const options: TranslateOptions = { baseDirectory: root, storedSecret: await storedSecrets(context) }
  if (keptWith === undefined) return translate(files, options)
  const file = join(gitopsDirectory(context.paths), keptWith, 'read.json')
  const memory = rememberTrees(await readFile(file, 'utf8').catch(() => undefined))
  const translation = translate(files, { ...options, memory })
  const toStore = memory.toStore()
  if (toStore !== undefined && toStore.length <= MAX_KEPT)
    await writeAtomic(file, toStore, 0o600, { durable: false }).catch(() => rm(file, { force: true }))
  return translation
}

/** In characters: more than that is not worth reading back. */
const MAX_KEPT = 16 * 1024 * 1024

/** All pods with the app that each is of: its object's, or that of the unit that has played it. */
async function owned({ store }: EngineContext): Promise<{ pod: PodRecord; app: string | undefined }[]> {
  const [pods, objects, rows] = await Promise.all([
    readPods(store),
    store.all('SELECT kind, name, app FROM app_object'),
    store.all('SELECT unit, source FROM gitops_unit'),
  ])
  const apps = new Map(objects.map(row => [`${row.kind} ${row.name}`, String(row.app)]))
  const units = new Map(rows.map(row => [String(row.unit), String(row.source)]))
  const ownerOf = ({ spec, settings }: PodRecord): string | undefined => {
    const unit = settings.unit?.name ?? ''
    const app = apps.get(`${spec.origin.kind} ${spec.origin.name}`) ?? units.get(unit)
    return app ?? (unit.startsWith('tspod-kube@') ? unit : undefined)
  }
  return pods.filter(({ kind }) => kind === 'pod').map(pod => ({ pod, app: ownerOf(pod) }))
}

async function allClaims(context: EngineContext): Promise<Claim[]> {
  return (await owned(context)).flatMap(({ pod, app }) => claimsOfPod(pod.spec, app))
}

/** The boot, the images that are here, whose pods beside this app's are, and the values of variables. */
async function hostState(context: EngineContext, app: string, filled: FilledWith | undefined): Promise<string> {
  const images = (await listImages(await context.storage())).map(
    ({ id, names }) => `${id} ${[...names].sort().join(' ')}`,
  )
  const others = (await owned(context)).filter(each => each.app !== app).map(({ pod }) => pod.name)
  const facts = [context.boot, ...images.sort(), ...others.sort(), ...(filled === undefined ? [] : [filled.digest])]
  return sha256(facts.join('\n'))
}

async function collect(
  context: EngineContext,
  source: string,
  revisions: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const inUse = async (): Promise<string[]> => hostPathsOf(await readPods(context.store))
  const directory = join(gitopsDirectory(context.paths), source)
  await collectSnapshots(directory, { inUse, revisions })
  await tidyMirror(sourceDoors(context, signal), directory)
}

/** What pods have mounted, or will mount again. */
export const hostPathsOf = (pods: readonly PodRecord[]): string[] =>
  pods.flatMap(({ spec }) => spec.volumes.flatMap(volume => (volume.kind === 'hostPath' ? [volume.path] : [])))

async function wrongPaths({ pods }: Bundle): Promise<string[]> {
  const wrong: string[] = []
  // Pods of a source have many paths in common.
  const problems = new Map<string, Promise<string | undefined>>()
  const problemOf = (volume: VolumeSpec & { kind: 'hostPath' }): Promise<string | undefined> => {
    const { path, type } = volume
    const key = `${type} ${path}`
    const problem = problems.get(key) ?? hostPathProblem(volume)
    problems.set(key, problem)
    return problem
  }
  for (const { name, volumes, origin } of pods) {
    for (const volume of volumes) {
      const problem = volume.kind === 'hostPath' ? await problemOf(volume) : undefined
      if (problem !== undefined) wrong.push(`${origin.place.file}:${origin.place.line}: pod ${name}: ${problem}`)
    }
  }
  return [...new Set(wrong)]
}

async function imagesOf(context: EngineContext, { pods }: Bundle): Promise<Record<string, string>> {
  const names = new Set(
    pods.flatMap(pod => [...pod.initContainers, ...servingContainers(pod)].map(({ image }) => image)),
  )
  const store = await context.storage()
  const found = await Promise.all([...names].map(async name => [name, (await findImage(store, name))?.id] as const))
  return Object.fromEntries(found.filter((entry): entry is [string, string] => entry[1] !== undefined))
}
