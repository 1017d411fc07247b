/** A small world for the loop: a real store, the real translator, and an apply that only remembers what would run. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApplyJob, Hands, SourceSnapshot } from '../../../../src/engine/gitops/hands.ts'
import type { Claim } from '../../../../src/engine/gitops/preflight.ts'
import { reconcileOnce } from '../../../../src/engine/gitops/reconcile.ts'
import { rollBack } from '../../../../src/engine/gitops/rollback.ts'
import { insertSource, readSource, type SourceRecord } from '../../../../src/engine/gitops/store.ts'
import type { ApplyPlan, PlannedObject, ReconcileWish, RunView, SourceWish } from '../../../../src/engine/index.ts'
import { openStore } from '../../../../src/engine/state/store.ts'
import { TspodError } from '../../../../src/errors.ts'
import { translate } from '../../../../src/kube/index.ts'

export const pod = (name: string, image = 'localhost/a:1', more = ''): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}${more}}\nspec: {containers: [{name: c, image: "${image}"}]}\n`

export type FakeWorld = Awaited<ReturnType<typeof openWorld>>

const WISH: SourceWish = {
  name: 'shop',
  from: { kind: 'directory', dir: '/srv/shop' },
  intervalMs: 300_000,
  prune: true,
  units: false,
  onFailure: 'keep-old',
  timeoutMs: 60_000,
  observe: false,
}

/** Opens one; `close` removes what it has written. */
export async function openWorld(wish: Partial<SourceWish> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'tspod-gitops-'))
  const store = await openStore(join(directory, 'state.db'))
  await store.write(tx => insertSource(tx, { ...WISH, ...wish }, 0))
  const world = {
    /** What the source has, or what is wrong with it. */
    files: {} as Record<string, string>,
    revision: 'r1',
    trouble: undefined as Error | undefined,
    /** Pod → image that runs. */
    running: new Map<string, string>(),
    /** What the file of --vars says, where there is one. */
    variables: {} as Record<string, string>,
    host: 'h1',
    others: [] as Claim[],
    images: { 'localhost/a:1': 'id-a1' } as Record<string, string>,
    /** Pods that do not become ready. */
    broken: new Set<string>(),
    /** Pods that run and are not ready. */
    unready: new Set<string>(),
    /** Ends the process in the middle of an apply. */
    killedBefore: undefined as string | undefined,
    nowMs: 1000,
    /** Another app takes the name between the plan and the first change. */
    outrun: false,
    applies: 0,
    told: [] as string[],
  }
  const snapshot = (): SourceSnapshot => ({
    revision: world.revision,
    root: '/srv/shop',
    files: Object.entries(world.files).map(([file, text]) => ({ file, text })),
  })
  const wanted = ({ request }: ApplyJob): Map<string, string> =>
    new Map(request.bundle.pods.map(({ name, containers }) => [name, containers[0]?.image ?? '']))
  const plan = async (job: ApplyJob): Promise<ApplyPlan> => {
    const pods = wanted(job)
    const object = (name: string, action: PlannedObject['action']): PlannedObject => ({
      kind: 'Pod',
      name,
      action,
      effect: 'none',
      because: [],
      changes: [],
      wave: 0,
    })
    const there = [...pods].map(([name, image]) => {
      const runs = world.running.get(name)
      return object(name, runs === undefined ? 'create' : runs === image ? 'unchanged' : 'configure')
    })
    const gone = [...world.running.keys()].filter(name => !pods.has(name))
    const isKept = (name: string): boolean =>
      job.request.held?.({ kind: 'Pod', name }) !== undefined || !job.request.prune
    return { app: 'shop', objects: [...there, ...gone.map(name => object(name, isKept(name) ? 'keep' : 'prune'))] }
  }
  const hands: Hands = {
    store,
    nowMs: () => (world.nowMs += 10),
    read: async () => {
      if (world.trouble !== undefined) throw world.trouble
      return snapshot()
    },
    revision: async () => snapshot().revision,
    translate: async (files, root) => translate(files, { baseDirectory: root }),
    variables: async () => new Map(Object.entries(world.variables)),
    host: async (_, filled) => `${world.host} ${filled?.digest ?? ''}`,
    unready: async () => [...world.unready].map(name => `pod/${name}`),
    claims: async () => world.others,
    paths: async () => [],
    images: async () => world.images,
    collect: async () => undefined,
    inventory: async () => undefined,
    settled: async () => undefined,
    plan,
    apply: async job => {
      const made = await plan(job)
      if ((await job.request.agree?.(made)) === false) return { plan: made, results: [], ready: true }
      if (world.outrun) throw new TspodError('NAME_IN_USE', 'pod/b belongs to app other', { remedy: 'give way' })
      world.applies += 1
      const results = []
      for (const { kind, name, action } of made.objects) {
        if (world.killedBefore === name) throw new Error('killed')
        const image = wanted(job).get(name)
        if (action === 'prune') world.running.delete(name)
        else if (image !== undefined && !world.broken.has(name)) world.running.set(name, image)
        const isBroken = world.broken.has(name) && action !== 'unchanged'
        results.push({ kind, name, outcome: isBroken ? 'failed' : action === 'unchanged' ? 'unchanged' : 'configured' })
      }
      return { plan: made, results: results as never, ready: !results.some(({ outcome }) => outcome === 'failed') }
    },
  }
  const signal = new AbortController().signal
  const told = (text: string): void => void world.told.push(text)
  return {
    ...world,
    world,
    hands,
    /** A commit. */
    commit(files: Record<string, string>): void {
      world.files = files
      world.revision = `r${Number(world.revision.slice(1)) + 1}`
    },
    tick: (more: Partial<ReconcileWish> = {}): Promise<RunView> =>
      reconcileOnce(hands, 'shop', { insist: false, confirmPrune: false, ...more }, told, signal),
    rollback: (to?: string): Promise<RunView> => rollBack(hands, 'shop', to, 'ada', told, signal),
    source: (): Promise<SourceRecord> => readSource(store, 'shop'),
    events: async (): Promise<string[]> =>
      (await store.all("SELECT reason FROM event WHERE kind = 'gitops' ORDER BY id")).map(row => String(row.reason)),
    async close(): Promise<void> {
      await store.close()
      rmSync(directory, { recursive: true })
    },
  }
}

export const fetchFailed = (): TspodError =>
  new TspodError('COMMAND_FAILED', 'the server does not answer', { remedy: 'see whether it is there' })
