/** Going back to what was applied before: the manifests of then, with the images that their names stood for. */
import { TspodError } from '../../errors.ts'
import type { Bundle, ContainerSpec, PodSpec } from '../../model.ts'
import type { RunView, Suspension, Told } from '../types/index.ts'
import { changesOf, short } from './decide.ts'
import { leftToDrift } from './drift.ts'
import type { Hands } from './hands.ts'
import { requestFor } from './prepare.ts'
import { failureOf, view } from './results.ts'
import {
  beginRun,
  endRun,
  keepRevision,
  keptRevisions,
  readKept,
  readSource,
  type SourceRecord,
  tellOfSource,
  updateSource,
} from './store.ts'
import { placesOf } from './variables.ts'

/** Which revision is meant: the one before what is applied now, or one by its name or the beginning of a commit. Pure. */
export function chooseRevision(kept: readonly string[], applied: string | undefined, to: string | undefined): string {
  const matches =
    to === undefined ? kept.filter(each => each !== applied).slice(0, 1) : kept.filter(each => named(each, to))
  const [found, another] = matches
  if (found !== undefined && another === undefined) return found
  const others = kept.length === 0 ? 'nothing was applied yet' : `there are: ${kept.map(short).join(', ')}`
  const what =
    to === undefined
      ? 'there is no earlier revision to go back to'
      : found === undefined
        ? `no revision "${to}" is kept`
        : `"${to}" is the beginning of several revisions`
  throw new TspodError(found === undefined ? 'NO_SUCH_OBJECT' : 'AMBIGUOUS_ID', what, { remedy: others })
}

const MIN_BEGINNING = 4

const named = (revision: string, wanted: string): boolean =>
  revision === wanted ||
  (wanted.length >= MIN_BEGINNING && (revision.startsWith(wanted) || revision.startsWith(`sha256:${wanted}`)))

/** The bundle with each image that its name no longer stands for named by its id. Pure. */
export function withImages(
  bundle: Bundle,
  then: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): Bundle {
  const pinned = (container: ContainerSpec): ContainerSpec => {
    const id = then[container.image]
    return id === undefined || id === now[container.image]
      ? container
      : { ...container, image: id, pullPolicy: 'Never' }
  }
  const pod = (spec: PodSpec): PodSpec => ({
    ...spec,
    initContainers: spec.initContainers.map(pinned),
    containers: spec.containers.map(pinned),
  })
  return { ...bundle, pods: bundle.pods.map(pod) }
}

/** Applies an earlier revision, and suspends the source, so that the next tick does not undo it. */
export async function rollBack(
  hands: Hands,
  name: string,
  to: string | undefined,
  author: string,
  told: Told,
  signal: AbortSignal,
): Promise<RunView> {
  const source = await readSource(hands.store, name)
  const revision = chooseRevision(await keptRevisions(hands.store, name), source.applied?.revision, to)
  const kept = await readKept(hands.store, name, revision)
  if (kept === undefined) throw new Error(`revision ${revision} of ${name} is gone`)
  const { bundle } = await hands.translate(kept.files, kept.root).catch(error => {
    throw source.vars === undefined ? error : placesOf(error)
  })
  const then = withImages(bundle, kept.images, await hands.images(bundle))
  const ignored = await leftToDrift(hands, source, bundle, kept)
  const request = requestFor(source, { confirmPrune: false }, revision, then, ignored)
  const job = { source, files: kept.files, request }
  const plan = await hands.plan(job, signal)
  const beganMs = hands.nowMs()
  const suspended: Suspension = {
    reason: `rolled back to ${short(revision)}`,
    author,
    sinceMs: beganMs,
  }
  // First of all: whatever comes of it, no tick goes forward again by itself.
  const id = await hands.store.write(async tx => {
    await updateSource(tx, name, { suspended, attempted: { revision, atMs: beganMs } })
    return beginRun(tx, name, revision, beganMs)
  })
  told(`going back to ${short(revision)}: ${changesOf(plan) ?? 'nothing has to change'}`)
  const report = await hands.apply(job, told, signal).catch(async error => {
    const endedMs = hands.nowMs()
    const reason = error instanceof Error ? error.message : String(error)
    await hands.store.write(tx => endRun(tx, name, id, { outcome: 'failed', reason, endedMs, plan }))
    throw error
  })
  const failure = failureOf(report)
  const endedMs = hands.nowMs()
  const outcome = failure === undefined ? 'rolled back' : 'failed'
  const reason = failure?.message ?? changesOf(plan) ?? 'nothing had to change'
  await hands.store.write(async tx => {
    if (failure === undefined) {
      await updateSource(tx, name, { applied: { revision, atMs: endedMs }, failure: null, drift: null })
      await keepRevision(tx, name, { ...kept, atMs: endedMs })
    }
    await endRun(tx, name, id, { outcome, reason, endedMs, plan, results: report.results })
    const message = failure === undefined ? suspended.reason : `${suspended.reason}: ${reason}`
    await tellOfSource(
      tx,
      name,
      { action: 'rollback', reason: 'RolledBack', warning: true, message, revision },
      endedMs,
    )
  })
  const now = { ...source, applied: { revision, atMs: endedMs } }
  if (failure === undefined) await hands.inventory(now, kept.images)
  const about: SourceRecord = source
  return { id, ...view(about, beganMs, outcome, reason, revision), endedMs, plan, results: report.results }
}
