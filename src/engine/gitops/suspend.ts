/** Suspensions of sources and of single objects: written by people, ended by them or by the clock. */

import { TspodError } from '../../errors.ts'
import { listed, objectLabel } from '../../words.ts'
import type { EngineContext } from '../context.ts'
import type { Suspension } from '../types/index.ts'
import { isOver } from './decide.ts'
import { readSource, type SourceRecord, tellOfSource, updateSource } from './store.ts'

/** See `Gitops.suspend`. */
export async function suspend(
  { store, clock }: EngineContext,
  name: string,
  suspension: Omit<Suspension, 'sinceMs'>,
  objects: readonly string[],
): Promise<number | undefined> {
  const { units } = await readSource(store, name)
  if (objects.length > 0) await requireObjects(store, name, units, objects)
  const sinceMs = clock.nowMs()
  const now = { ...suspension, sinceMs }
  await store.write(async tx => {
    const { held } = await readSource(tx, name)
    const added = Object.fromEntries(objects.map(object => [object, now]))
    await updateSource(tx, name, objects.length === 0 ? { suspended: now } : { held: { ...held, ...added } })
    const message = `${[suspension.author, ...objects].join(' ')}: ${suspension.reason}`
    await tellOfSource(tx, name, { action: 'suspend', reason: 'Suspended', warning: true, message }, sinceMs)
  })
  return nextEnd(await readSource(store, name), sinceMs)
}

/** See `Gitops.resume`. */
export async function resume(
  { store, clock }: EngineContext,
  name: string,
  objects: readonly string[],
): Promise<number | undefined> {
  const nowMs = clock.nowMs()
  const { suspended, held = {} } = await readSource(store, name)
  const missing = objects.filter(object => !(object in held))
  if (missing.length > 0) {
    throw new TspodError('NO_SUCH_OBJECT', `${listed(missing)} of ${name} is not suspended`, {
      remedy: `see what is: tspod gitops status ${name}`,
    })
  }
  if (objects.length > 0 || suspended !== undefined) {
    await store.write(async tx => {
      // Somebody may have suspended another one since.
      const { held: now = {} } = await readSource(tx, name)
      const left = Object.fromEntries(Object.entries(now).filter(([object]) => !objects.includes(object)))
      await updateSource(tx, name, objects.length === 0 ? { suspended: null } : { held: left })
      const message = objects.join(' ')
      await tellOfSource(tx, name, { action: 'resume', reason: 'Resumed', message }, nowMs)
    })
  }
  return nextEnd(await readSource(store, name), nowMs)
}

/** A name that is written wrong would hold nothing. */
async function requireObjects(
  store: Pick<EngineContext['store'], 'all'>,
  name: string,
  units: boolean,
  objects: readonly string[],
): Promise<void> {
  if (units) {
    throw new TspodError('USAGE', `each manifest of ${name} is a unit: its objects cannot be suspended one by one`, {
      remedy: `suspend all of it: tspod gitops suspend ${name}`,
    })
  }
  const rows = await store.all('SELECT kind, name FROM app_object WHERE app = ?', [name])
  const known = new Set(rows.map(row => objectLabel({ kind: String(row.kind), name: String(row.name) })))
  const unknown = objects.filter(object => !known.has(object))
  if (unknown.length === 0) return
  throw new TspodError('NO_SUCH_OBJECT', `${name} has no ${listed(unknown)}`, {
    remedy: known.size === 0 ? 'nothing of it is applied yet' : `it has ${listed([...known])}`,
  })
}

function nextEnd({ suspended, held = {} }: SourceRecord, nowMs: number): number | undefined {
  const all = [...Object.values(held), ...(suspended === undefined ? [] : [suspended])]
  const ends = all.filter(one => !isOver(one, nowMs)).flatMap(({ untilMs }) => untilMs ?? [])
  return ends.length === 0 ? undefined : Math.min(...ends)
}
