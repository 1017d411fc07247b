/**
 * Objects with `io.tspod.drift: ignore`: what their manifests say is applied when it changes, and what becomes of them on
 * the host in between is somebody else's doing, and stays.
 */
import { isTspodError } from '../../errors.ts'
import type { Bundle, ManifestObject } from '../../model.ts'
import { objectLabel } from '../../words.ts'
import type { Hands, SourceSnapshot } from './hands.ts'
import { KEPT_RUNS, type KeptRevision, readKept, readRuns, type SourceRecord } from './store.ts'

const ANNOTATION = 'io.tspod.drift'

/** Labels of the objects that say so. */
export const ignoring = ({ objects = [] }: Bundle): string[] =>
  objects.filter(({ drift }) => drift === 'ignore').map(objectLabel)

/** Labels of those among them whose manifests are the same in both bundles, wherever they stand there. Pure. */
export function unchangedIgnoring(now: Bundle, last: Bundle): string[] {
  const before = new Map((last.objects ?? []).map(object => [objectLabel(object), contentOf(object, last)]))
  return (now.objects ?? [])
    .filter(object => object.drift === 'ignore' && before.get(objectLabel(object)) === contentOf(object, now))
    .map(objectLabel)
}

/** All that an object means, with what it has of ConfigMaps and Secrets. */
function contentOf(object: ManifestObject, { pods, jobs = [], secrets, claims }: Bundle): string {
  const { kind, name } = object
  const own = [
    object,
    pods.filter(({ origin }) => origin.kind === kind && origin.name === name),
    kind === 'Job' ? jobs.filter(job => job.name === name) : [],
    kind === 'Secret' ? secrets.filter(secret => secret.name === name) : [],
    kind === 'PersistentVolumeClaim' ? claims.filter(claim => claim.name === name) : [],
  ]
  return JSON.stringify(own, (_, value: unknown) => (isMap(value) ? withoutPlace(value) : value))
}

type Members = { [name: string]: unknown }

const isMap = (value: unknown): value is Members => value !== null && typeof value === 'object' && !Array.isArray(value)

/** In one order, and without places: an object that was moved is the same. */
function withoutPlace(map: Members): Members {
  const isPlace = (value: unknown): boolean => isMap(value) && typeof value.line === 'number' && 'column' in value
  const members = Object.entries(map).filter(([, value]) => !isPlace(value))
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Labels of the objects of a bundle that are left alone: they say so, and are what was applied last. */
export async function leftToDrift(
  hands: Pick<Hands, 'store' | 'translate'>,
  source: SourceRecord,
  bundle: Bundle,
  { files, root }: Pick<SourceSnapshot, 'files' | 'root'>,
): Promise<string[]> {
  if (ignoring(bundle).length === 0) return []
  const kept = await lastApplied(hands, source)
  const touched = kept && (await touchedSince(hands, source))
  if (kept === undefined || touched === undefined) return []
  const isSame = kept.root === root && JSON.stringify(kept.files) === JSON.stringify(files)
  const last = isSame ? bundle : await translated(hands, kept)
  return last === undefined ? [] : unchangedIgnoring(bundle, last).filter(label => !touched.has(label))
}

/** Labels of all that say so in what was applied last, for whoever asks how a source stands. */
export async function driftIgnored(hands: Pick<Hands, 'store' | 'translate'>, source: SourceRecord): Promise<string[]> {
  const { name, applied } = source
  const [row] = await hands.store.all(
    'SELECT 1 FROM gitops_applied WHERE source = ? AND revision = ? AND instr(files, ?) > 0',
    [name, applied?.revision ?? '', ANNOTATION],
  )
  const kept = row && (await lastApplied(hands, source))
  const bundle = kept && (await translated(hands, kept))
  return bundle === undefined ? [] : ignoring(bundle)
}

const lastApplied = async (
  { store }: Pick<Hands, 'store'>,
  { name, applied }: SourceRecord,
): Promise<KeptRevision | undefined> => applied && (await readKept(store, name, applied.revision))

/** Undefined where it can no longer be read: it is an older tspod's, or refers to a Secret that is gone. */
async function translated(
  { translate }: Pick<Hands, 'translate'>,
  { files, root }: KeptRevision,
): Promise<Bundle | undefined> {
  try {
    return (await translate(files, root)).bundle
  } catch (error) {
    if (isTspodError(error)) return undefined
    throw error
  }
}

/**
 * Objects that failed applies may have changed since the last one that was fine: they are at no revision that is known.
 * Undefined: nobody knows which they are.
 */
async function touchedSince(
  { store }: Pick<Hands, 'store'>,
  { name }: SourceRecord,
): Promise<ReadonlySet<string> | undefined> {
  const touched = new Set<string>()
  for (const { outcome, plan } of await readRuns(store, name, KEPT_RUNS)) {
    if (outcome === 'applied' || outcome === 'unchanged' || outcome === 'rolled back') return touched
    if (outcome === 'refused' || outcome === 'observed') continue
    if (plan === undefined) return undefined
    for (const object of plan.objects)
      if (object.action !== 'unchanged' && object.action !== 'keep') touched.add(objectLabel(object))
  }
  return undefined
}
