/** The loop's hands on this host. */
import { join } from 'node:path'
import { type TranslateOptions, translate } from '../../kube/index.ts'
import { type Bundle, servingContainers } from '../../model.ts'
import { findImage, listImages } from '../../oci/index.ts'
import { gitopsDirectory } from '../../paths.ts'
import { collectSnapshots, readSnapshot } from '../../source/index.ts'
import type { EngineContext } from '../context.ts'
import { type PodRecord, readPods } from '../state/index.ts'
import type { Engine } from '../types/index.ts'
import { hostPathProblem, storedSecrets } from '../volumes/index.ts'
import type { Hands } from './hands.ts'
import { type Claim, claimsOfPod } from './preflight.ts'
import type { SourceRecord } from './store.ts'
import { openUnitMode } from './unit-mode.ts'

type Applying = Pick<Engine, 'apply' | 'planApply' | 'settled'>

/** Everything the loop does, done for real. */
export function realHands(context: EngineContext, engine: Applying): Hands {
  const { store, clock } = context
  const unitMode = openUnitMode(context)
  return {
    store,
    nowMs: () => clock.nowMs(),
    read: (source, signal) => readSnapshot(snapshotWish(source), sourceDoors(context, signal)),
    translate: async (files, root) => {
      const options: TranslateOptions = { baseDirectory: root, storedSecret: await storedSecrets(context) }
      return translate(files, options)
    },
    host: app => hostState(context, app),
    claims: () => allClaims(context),
    paths: wrongPaths,
    images: bundle => imagesOf(context, bundle),
    collect: (source, kept) => collect(context, source, kept),
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

const sourceDoors = ({ run, clock, paths, environment }: EngineContext, signal: AbortSignal) => ({
  run,
  clock,
  directory: gitopsDirectory(paths),
  env: environment ?? {},
  signal,
})

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

/** The boot, the images that are here, and whose pods beside this app's are. */
async function hostState(context: EngineContext, app: string): Promise<string> {
  const images = (await listImages(await context.storage())).map(
    ({ id, names }) => `${id} ${[...names].sort().join(' ')}`,
  )
  const others = (await owned(context)).filter(each => each.app !== app).map(({ pod }) => pod.name)
  const facts = [context.boot, ...images.sort(), ...others.sort()]
  const { createHash } = process.getBuiltinModule('node:crypto')
  return createHash('sha256').update(facts.join('\n')).digest('hex')
}

async function collect(context: EngineContext, source: string, revisions: readonly string[]): Promise<void> {
  const inUse = hostPathsOf(await readPods(context.store))
  await collectSnapshots(join(gitopsDirectory(context.paths), source), { inUse, revisions })
}

/** What pods have mounted, or will mount again. */
export const hostPathsOf = (pods: readonly PodRecord[]): string[] =>
  pods.flatMap(({ spec }) => spec.volumes.flatMap(volume => (volume.kind === 'hostPath' ? [volume.path] : [])))

async function wrongPaths({ pods }: Bundle): Promise<string[]> {
  const wrong: string[] = []
  for (const { name, volumes, origin } of pods) {
    for (const volume of volumes) {
      const problem = volume.kind === 'hostPath' ? await hostPathProblem(volume) : undefined
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
