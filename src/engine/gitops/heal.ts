/**
 * While a source cannot be applied (a typo, a server that does not answer, a directory that is gone), what it has
 * applied last stays the truth: pods that somebody has stopped or removed come back. Nothing is removed for that.
 */
import { isTspodError } from '../../errors.ts'
import type { ApplyPlan, ApplyReport, Told } from '../types/index.ts'
import { changesOf } from './decide.ts'
import { ignoring } from './drift.ts'
import type { Hands } from './hands.ts'
import { requestFor } from './prepare.ts'
import { readBad, readKept, type SourceRecord } from './store.ts'

type Healing = { hands: Hands; source: SourceRecord; told: Told; signal: AbortSignal }

/** Repairs what runs of the last good revision; answers what was done. */
export async function heal({ hands, source, told, signal }: Healing): Promise<ApplyReport['results']> {
  const revision = source.applied?.revision
  // After an apply that came half way the host is at neither revision, and going back is not asked for.
  const isClean = source.attempted?.revision === revision || source.onFailure === 'rollback'
  if (revision === undefined || source.observe || !isClean) return []
  // With other values of its variables an apply may have come half way of the very revision.
  if (source.vars !== undefined && (await readBad(hands.store, source.name, revision)) !== undefined) return []
  try {
    const kept = await readKept(hands.store, source.name, revision)
    if (kept === undefined) return []
    const { bundle } = await hands.translate(kept.files, kept.root)
    const request = { ...requestFor(source, { confirmPrune: false }, revision, bundle, ignoring(bundle)), prune: false }
    const agree = async (plan: ApplyPlan): Promise<boolean> => {
      const differs = changesOf(plan) !== undefined
      if (differs) told('repairing what was applied last')
      return differs
    }
    const job = { source, files: kept.files, request: { ...request, agree } }
    const { results } = await hands.apply(job, told, signal)
    return results.filter(({ outcome }) => outcome !== 'unchanged' && outcome !== 'kept')
  } catch (error) {
    // The reason why the source is not applied is the one to tell.
    if (!isTspodError(error)) throw error
    return [{ kind: 'App', name: source.name, outcome: 'failed', message: error.message }]
  }
}
