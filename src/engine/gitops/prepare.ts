/** The part of a reconcile that changes nothing: read, validate, preflight, plan. */
import { TspodError } from '../../errors.ts'
import type { Bundle } from '../../model.ts'
import { VERSION } from '../../version.ts'
import { objectLabel } from '../../words.ts'
import type { ApplyRequest, ReconcileWish, Stage, Told } from '../types/index.ts'
import { judgeFiles, type Verdict } from './decide.ts'
import { leftToDrift } from './drift.ts'
import type { ApplyJob, Hands, SourceSnapshot } from './hands.ts'
import { leftAlone, withoutHeld } from './held.ts'
import { conflicts } from './preflight.ts'
import { type SourceRecord, updateSource } from './store.ts'
import { withVariables } from './variables.ts'

/** A source that could be read, with what it asks for. */
export type Prepared = {
  snapshot: SourceSnapshot
  bundle: Bundle
  notes: string[]
  job: ApplyJob
}

/** Where a reconcile is, for who asks why it was given up. */
export type Progress = { stage: Stage; revision?: string }

type Planning = {
  hands: Hands
  source: SourceRecord
  wish: Pick<ReconcileWish, 'confirmPrune' | 'rewind'>
  told: Told
  signal: AbortSignal
}

/** The source as it is now. */
export async function readNow(work: Planning, progress: Progress): Promise<SourceSnapshot> {
  const { hands, source, told, signal } = work
  told('reading the source')
  const snapshot = await hands.read(work.wish.rewind ? { ...source, rewind: true } : source, signal)
  progress.revision = snapshot.revision
  if (snapshot.dirty !== undefined) told(uncommitted(snapshot.dirty))
  if (source.vars === undefined) return snapshot
  // Also when the values cannot be read.
  await noteSeen(work, snapshot)
  return withVariables(snapshot, await hands.variables(source.vars), source.vars)
}

/** Remembers that the source was at this revision: beside what is done with it, which waits for no disk. */
export async function noteSeen({ hands, source }: Planning, { revision }: SourceSnapshot): Promise<void> {
  if (source.seen?.revision === revision) return
  await hands.store.write(tx => updateSource(tx, source.name, { seen: { revision, atMs: hands.nowMs() } }))
}

const uncommitted = (dirty: string): string => `not committed, and so not looked at: ${dirty}`

/** Everything else before the first change: nothing that is wrong in it has to be found half way. */
export async function prepare(work: Planning, snapshot: SourceSnapshot, progress: Progress): Promise<Prepared> {
  const { hands, source } = work
  const files = judgeFiles(snapshot.files.length, source.name)
  if (files.do !== 'act') throw refusal(files)
  progress.stage = 'validate'
  const { bundle, notes } = await hands
    .translate(snapshot.files, snapshot.root, snapshot.decrypted ? undefined : source.name)
    .catch(error => {
      throw snapshot.filled?.unfilled(error) ?? error
    })
  progress.stage = 'preflight'
  const rivals = conflicts(bundle, source.name, await hands.claims())
  if (rivals.length > 0) {
    throw new TspodError('NAME_IN_USE', rivals[0] ?? '', {
      remedy: 'leave it in one source, or give one of the two another name or port',
      ...(rivals.length > 1 && { details: rivals.join('\n') }),
    })
  }
  const wrong = await hands.paths(bundle)
  if (wrong.length > 0) {
    throw new TspodError('VOLUME_INVALID', wrong[0] ?? '', {
      remedy: 'make it first, or write a type that makes it: DirectoryOrCreate, FileOrCreate',
      ...(wrong.length > 1 && { details: wrong.join('\n') }),
    })
  }
  progress.stage = 'plan'
  const ignored = await leftToDrift(hands, source, bundle, snapshot)
  const wanted = requestFor(source, work.wish, snapshot.revision, bundle, ignored)
  const request = { ...wanted, inputs: inputsOf(source, snapshot) }
  const job = { source, files: snapshot.files, request }
  const more = [...(snapshot.notes ?? []), ...(snapshot.dirty === undefined ? [] : [uncommitted(snapshot.dirty)])]
  return { snapshot, bundle, notes: [...more, ...notes], job }
}

/** All that a request is made of: an apply of the same, which has nothing to do, is told by this alone. */
export const inputsOf = ({ name, prune, held }: SourceRecord, { files, root }: SourceSnapshot): string =>
  JSON.stringify([VERSION, 'gitops', name, prune, held ?? {}, root, files])

/** What apply is asked for; `ignored` are the labels of objects whose drift is. */
export function requestFor(
  source: SourceRecord,
  wish: Pick<ReconcileWish, 'confirmPrune'>,
  revision: string,
  bundle: Bundle,
  ignored: readonly string[],
): ApplyRequest {
  const { from } = source
  const left = leftAlone(source.held, ignored)
  return {
    app: source.name,
    source: { path: from.kind === 'git' ? from.url : from.dir, revision },
    bundle: withoutHeld(bundle, left),
    held: object => left[objectLabel(object)],
    pull: { quiet: true },
    prune: source.prune,
    waitMs: source.timeoutMs,
    onFailure: source.onFailure,
    mayPrune: (_, protection) => protection === undefined || (protection === 'confirm' && wish.confirmPrune),
  }
}

/** A verdict that keeps something from being done, as an error. */
export const refusal = (verdict: Verdict): TspodError =>
  new TspodError('GITOPS_REFUSED', verdict.reason, { remedy: verdict.do === 'refuse' ? verdict.remedy : '' })
