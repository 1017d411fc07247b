/** What happens when an apply fails: nothing, the failed pods make way for those they replaced, or all of it is undone. */
import type { EngineContext } from '../context.ts'
import { down } from '../play/index.ts'
import { awaitReady, READY_MS } from '../probe/index.ts'
import {
  deleteAppObject,
  dropBefore,
  type PodBefore,
  readBefore,
  replaceManifest,
  updatePod,
  writeAppObject,
} from '../state/index.ts'
import { writeSecrets } from '../volumes/index.ts'
import { manifestOf } from './compare.ts'
import type { Work } from './execute.ts'
import { madeByObjects } from './newcomers.ts'
import { restorePod } from './restore.ts'
import { isMade, type PodPlan } from './world.ts'

/** Acts on what has failed as the request says. A signal that ended the apply does not end this. */
export async function giveWay(work: Work): Promise<void> {
  const { context, request, prepared, signal } = work
  if (request.onFailure === 'stop') return
  const kept = await readBefore(context.store, request.app)
  const pods = prepared.planned.flatMap(({ pods: own }) => own)
  const all = request.onFailure === 'rollback'
  const back = prepared.planned.flatMap(planned =>
    planned.pods.filter(pod => kept.has(pod.name) && (hasFailed(work, pod) || (all && isReached(work, pod)))),
  )
  // Those that serve nobody come first: of a workload that is replaced some at a time the others go on meanwhile.
  const order = [...back.filter(pod => hasFailed(work, pod)), ...back.filter(pod => !hasFailed(work, pod))]
  for (const [index, { name }] of order.entries()) {
    await bringBack(work, kept.get(name))
    const rolling = prepared.planned.find(({ pods: own }) => own.some(pod => pod.name === name))?.rolling
    const isFollowed = order.slice(index + 1).some(pod => rolling?.pods.includes(pod.name))
    if (isFollowed && !signal.aborted) await untilBack(context, name, request.waitMs ?? rolling?.deadlineMs)
  }
  if (all) await undoRest(work, pods)
}

/** It was begun to be made: what was there before is not there any more. */
const isReached = ({ reached }: Work, pod: PodPlan): boolean => isMade(pod) && reached.has(pod.name)

/** It does not come up, whether this apply has made it or one that was interrupted. */
const hasFailed = (work: Work, pod: PodPlan): boolean =>
  work.ledger.failed(pod.name) !== undefined && (isReached(work, pod) || pod.do === 'start' || pod.do === 'nothing')

/** What comes back was well before: when it is not now, that keeps the others from nothing. */
async function untilBack(context: EngineContext, name: string, waitMs = READY_MS): Promise<void> {
  const [row] = await context.store.all("SELECT id FROM pod WHERE kind = 'pod' AND name = ?", [name])
  if (row !== undefined) await awaitReady(context, [String(row.id)], waitMs, new AbortController().signal)
}

async function bringBack({ context, ledger, progress }: Work, before: PodBefore | undefined): Promise<void> {
  if (before === undefined) return
  const { name } = before.spec
  progress({ object: name, text: 'the old one comes back' })
  try {
    await restorePod(context, before)
    await context.store.write(tx => dropBefore(tx, [name]))
    ledger.restored(name)
  } catch (error) {
    ledger.restored(name, (error as Error).message)
  }
}

/** Pods that were made go, those that were changed get their records back, and so do Secrets and the inventory. */
async function undoRest({ context, prepared, request, ledger }: Work, pods: readonly PodPlan[]): Promise<void> {
  const { world, planned } = prepared
  const owners = new Map(planned.flatMap(({ object, pods: own }) => own.map(({ name }) => [name, object] as const)))
  const isNew = ({ do: what, standing }: PodPlan): boolean => what === 'make' && standing === undefined
  const tried = pods.filter(isNew).map(({ name }) => name)
  // Under a name that could not be had there is somebody else's pod.
  const there = new Set(await madeByObjects(context, owners))
  const made = tried.filter(name => there.has(name))
  const names = { pods: made, workloads: [], secrets: [], claims: [], podClaims: [], claimsOf: [] }
  if (made.length > 0) await down(context, names, { force: false }, new AbortController().signal)
  for (const name of tried) ledger.restored(name)
  await restoreRecords(context, pods)
  await context.store.write(async tx => {
    for (const { object } of planned) {
      if (object.action !== 'create' && object.action !== 'configure') continue
      const owner = world.owners.get(`${object.kind}/${object.name}`)
      if (owner === undefined) await deleteAppObject(tx, request.app, object.kind, object.name)
      else await writeAppObject(tx, owner)
      const secret = object.kind === 'Secret' ? world.secrets.get(object.name) : undefined
      if (secret !== undefined) await writeSecrets(tx, context, [{ name: object.name, ...secret, immutable: false }])
    }
  })
  for (const pod of pods) if (pod.do === 'change') ledger.restored(pod.name)
}

/** Limits in the kernel follow with the next start: what was changed live is a number in a record otherwise. */
async function restoreRecords(context: EngineContext, pods: readonly PodPlan[]): Promise<void> {
  await context.store.write(async tx => {
    for (const { do: what, standing } of pods) {
      if (what !== 'change' || standing === undefined) continue
      await updatePod(tx, standing.record.id, { spec: standing.spec, settings: standing.settings })
      const manifest = manifestOf(standing)
      if (manifest !== undefined) await replaceManifest(tx, standing.record.id, manifest)
    }
  })
}
