/** Secrets of plays: kept in the store, readable by later plays, never shown. */
import { TspodError } from '../../errors.ts'
import type { SecretSpec } from '../../model.ts'
import { randomHex } from '../../random.ts'
import type { EngineContext } from '../context.ts'
import { eventAbout, insertEvents, type NewEvent } from '../events/index.ts'
import { readOwners, type Transaction } from '../state/index.ts'
import type { SecretView } from '../types/index.ts'

/** Writes the secrets of a play and returns their names and ids. Throws NAME_IN_USE for a changed immutable one. */
export async function writeSecrets(
  tx: Transaction,
  context: EngineContext,
  secrets: readonly SecretSpec[],
): Promise<{ name: string; id: string }[]> {
  const written: { name: string; id: string }[] = []
  for (const secret of secrets) {
    const [old] = await tx.all('SELECT id, immutable FROM secret WHERE name = ?', [secret.name])
    if (old?.immutable === 1) {
      throw new TspodError('NAME_IN_USE', `cannot remove secret ${secret.name} as it is marked as immutable`, {
        remedy: 'remove it with `tspod kube down` first, or give the new one another name',
      })
    }
    const id = randomHex(13).slice(0, 25)
    await tx.run(
      'INSERT OR REPLACE INTO secret (name, id, type, immutable, data, created_ms) VALUES (?, ?, ?, ?, ?, ?)',
      [secret.name, id, secret.type, secret.immutable ? 1 : 0, JSON.stringify(secret.data), context.clock.nowMs()],
    )
    const nowMs = context.clock.nowMs()
    if (old !== undefined) await insertEvents(tx, [secretEvent(nowMs, secret.name, String(old.id), 'remove')])
    await insertEvents(tx, [secretEvent(nowMs, secret.name, id, 'create')])
    written.push({ name: secret.name, id })
  }
  return written
}

const secretEvent = (nowMs: number, name: string, id: string, action: 'create' | 'remove'): NewEvent =>
  eventAbout(nowMs, { kind: 'secret', object: id, name, labels: {} }, { action, reason: '' })

/** Removes secrets by name and returns the ids of those that were there. */
export async function removeSecrets(context: EngineContext, names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return []
  return context.store.write(async tx => {
    const removed: string[] = []
    for (const name of names) {
      const [row] = await tx.all('SELECT id FROM secret WHERE name = ?', [name])
      if (row === undefined) continue
      await tx.run('DELETE FROM secret WHERE name = ?', [name])
      await insertEvents(tx, [secretEvent(context.clock.nowMs(), name, String(row.id), 'remove')])
      removed.push(String(row.id))
    }
    return removed
  })
}

/** Looks secrets up by name; key → base64. */
export async function storedSecrets(
  context: EngineContext,
): Promise<(name: string) => Record<string, string> | undefined> {
  const rows = await context.store.all('SELECT name, data FROM secret')
  const secrets = new Map(rows.map(row => [String(row.name), JSON.parse(String(row.data)) as Record<string, string>]))
  return name => secrets.get(name)
}

/** All Secrets by name, with the names of their keys. */
export async function listSecrets({ store }: EngineContext): Promise<SecretView[]> {
  const [rows, apps] = await Promise.all([
    store.all('SELECT name, id, type, immutable, data, created_ms FROM secret ORDER BY name'),
    readOwners(store, 'Secret'),
  ])
  return rows.map((row): SecretView => {
    const name = String(row.name)
    const app = apps.get(name)
    return {
      name,
      id: String(row.id),
      type: String(row.type),
      immutable: row.immutable === 1,
      createdMs: Number(row.created_ms),
      keys: Object.keys(JSON.parse(String(row.data)) as Record<string, string>),
      ...(app !== undefined && { app }),
    }
  })
}
