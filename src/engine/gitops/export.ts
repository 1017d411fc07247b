/** What a source has applied, for whoever goes on without it: the manifests, and an inventory on the disk. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDiskTrouble, TspodError } from '../../errors.ts'
import { writeAtomic } from '../../files.ts'
import { gitopsDirectory } from '../../paths.ts'
import type { EngineContext } from '../context.ts'
import type { Store } from '../state/index.ts'
import type { ExportedRevision } from '../types/index.ts'
import { chooseRevision } from './rollback.ts'
import { keptRevisions, readKept, readSource, type SourceRecord } from './store.ts'

/** The manifests of a revision as they were applied: of the last one, or of one that is kept. Throws NO_SUCH_OBJECT. */
export async function exported(
  store: Pick<Store, 'all'>,
  name: string,
  wanted: string | undefined,
): Promise<ExportedRevision> {
  const { applied } = await readSource(store, name)
  const revision =
    wanted === undefined ? applied?.revision : chooseRevision(await keptRevisions(store, name), undefined, wanted)
  const kept = revision === undefined ? undefined : await readKept(store, name, revision)
  if (kept !== undefined) return { revision: kept.revision, root: kept.root, files: kept.files }
  throw new TspodError('NO_SUCH_OBJECT', `${name} has applied nothing yet`, {
    remedy: `see how it stands: tspod gitops status ${name}`,
  })
}

/** Whoever changes the form of the file counts this up. */
const FORMAT = 1

/** An object as the inventory has it; the hash tells that two are the same, and nothing of what is in them. */
type Listed = { kind: string; name: string; hash: string; wave: number; prune?: string }

/**
 * Writes down what a source has applied, for people whose tspod does not work: plain JSON, and no text of a manifest. A
 * disk that takes nothing is no failure of what has been applied; the file says of when it is.
 */
export async function writeInventory(
  context: EngineContext,
  source: SourceRecord,
  images: Readonly<Record<string, string>>,
): Promise<void> {
  const { name } = source
  const objects = source.units ? await units(context, name) : await owned(context, name)
  const directory = join(gitopsDirectory(context.paths), name)
  const text = `${JSON.stringify(inventoryOf(source, images, objects), undefined, 2)}\n`
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await writeAtomic(join(directory, 'inventory.json'), text, 0o600)
  } catch (error) {
    if (!isDiskTrouble(error)) throw error
  }
}

/** What stands in the file. Pure. */
export function inventoryOf(
  source: SourceRecord,
  images: Readonly<Record<string, string>>,
  objects: readonly Listed[],
): object {
  const { suspended, held, seen, attempted, applied, checkedMs, failure, drift, ...definition } = source
  return {
    format: FORMAT,
    name: source.name,
    revision: applied?.revision,
    applied: applied && new Date(applied.atMs).toISOString(),
    ...(applied?.signer !== undefined && { signer: applied.signer }),
    source: definition,
    images,
    objects,
  }
}

async function owned({ store }: EngineContext, name: string): Promise<Listed[]> {
  const rows = await store.all(
    'SELECT kind, name, hash, wave, protection FROM app_object WHERE app = ? ORDER BY kind, name',
    [name],
  )
  return rows.map(({ kind, name: own, hash, wave, protection }) => ({
    kind: String(kind),
    name: String(own),
    hash: String(hash),
    wave: Number(wave),
    ...(protection !== null && { prune: String(protection) }),
  }))
}

async function units(context: EngineContext, name: string): Promise<Listed[]> {
  const rows = await context.store.all('SELECT unit, text FROM gitops_unit WHERE source = ? ORDER BY unit', [name])
  const { lazyHasher } = await import('../apply/index.ts')
  const hasher = lazyHasher(context)
  return rows.map(({ unit, text }) => ({ kind: 'Unit', name: String(unit), hash: hasher(String(text)), wave: 0 }))
}
