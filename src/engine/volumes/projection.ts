/**
 * ConfigMaps and Secrets as directories. Each content is a generation of its own, named after it, and a link leads
 * to the current one:
 *
 *   ..data -> ..4f1c…      swapped by one rename: a container sees all of the old or all of the new content
 *   ..4f1c…/app.conf       written once, before anything leads to it
 *   app.conf -> ..data/app.conf
 *
 * Containers only ever get it read-only, so nothing they do can make us write elsewhere (CVE-2025-9566).
 */

import { constants } from 'node:fs'
import { chmod, chown, lstat, mkdir, open, readdir, readlink, rename, symlink, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { sha256 } from '../../digest.ts'
import { isMissing, TspodError } from '../../errors.ts'
import { removeTree } from '../../files.ts'
import type { ContentFile, IdMaps } from '../../model.ts'
import { outsideOf } from '../../namespaces.ts'
import { randomHex } from '../../random.ts'

const DATA = '..data'
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants

/**
 * Brings the directory to the given content and returns the absolute path of its generation. With `group` the files
 * belong to it and it may read them, as the kubelet does for fsGroup; with `maps` owner and group are those of a user
 * namespace. Nothing is synced: the directory belongs below the run root and is written anew after a reboot.
 */
export async function projectFiles(
  directory: string,
  files: readonly ContentFile[],
  group: number | undefined,
  maps?: IdMaps,
): Promise<string> {
  for (const file of files) checkPath(file.path)
  const access = accessOf(group, maps)
  if (maps !== undefined) await give(directory, access)
  const generation = generationName(files, group)
  const current = await readlink(join(directory, DATA)).catch(ignoreMissing)
  if (current !== generation) {
    await writeGeneration(directory, generation, files, access)
    await swapLink(directory, DATA, generation)
  }
  const visible = new Set(files.map(file => file.path.split('/')[0] ?? ''))
  await Promise.all([...visible].map(name => linkVisible(directory, name)))
  await removeStale(directory, new Set([...visible, DATA, generation]))
  return join(directory, generation)
}

/** Whose the files are, if not the host's root's, and whether they are for a group as well. */
type Access = { owner: { uid: number; gid: number } | undefined; forGroup: boolean }

function accessOf(group: number | undefined, maps: IdMaps | undefined): Access {
  const ids = { uid: 0, gid: group ?? 0 }
  const forGroup = group !== undefined
  if (maps === undefined) return { owner: forGroup ? ids : undefined, forGroup }
  const gid = outsideOf(maps.gids, ids.gid) ?? outsideOf(maps.gids, 0) ?? 0
  return { owner: { uid: outsideOf(maps.uids, 0) ?? 0, gid }, forGroup }
}

async function give(path: string, { owner }: Access): Promise<void> {
  if (owner !== undefined) await chown(path, owner.uid, owner.gid)
}

/** The same content always has the same name, so "is it up to date" is a comparison of names. */
function generationName(files: readonly ContentFile[], group: number | undefined): string {
  const text = JSON.stringify([group ?? null, files.map(f => [f.path, f.mode, f.base64])])
  return `..${sha256(text).slice(0, 32)}`
}

/** The translator has checked it for the user; here it is what keeps a write inside the directory. */
function checkPath(path: string): void {
  const parts = path.split('/')
  const bad = parts.some(part => part === '' || part === '.' || part === '..') || path.startsWith('..')
  if (!bad && !path.includes('\0')) return
  throw new TspodError('VOLUME_INVALID', `"${path}" cannot be a file of a volume`, {
    remedy: 'use a relative path without ".." for the key or item',
  })
}

async function writeGeneration(
  directory: string,
  name: string,
  files: readonly ContentFile[],
  access: Access,
): Promise<void> {
  const temporary = join(directory, `..new-${randomHex(6)}`)
  await makeDirectory(temporary, access)
  for (const file of files) {
    await makeParents(temporary, dirname(file.path), access)
    await writeOne(join(temporary, file.path), file, access)
  }
  await removeTree(join(directory, name))
  await rename(temporary, join(directory, name))
}

async function makeParents(root: string, relative: string, access: Access): Promise<void> {
  if (relative === '.') return
  await makeParents(root, dirname(relative), access)
  const path = join(root, relative)
  if ((await lstat(path).catch(ignoreMissing)) === undefined) await makeDirectory(path, access)
}

async function makeDirectory(path: string, access: Access): Promise<void> {
  await mkdir(path, { mode: 0o700 })
  await give(path, access)
  await chmod(path, 0o755)
}

async function writeOne(path: string, file: ContentFile, { owner, forGroup }: Access): Promise<void> {
  const handle = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    await handle.writeFile(Buffer.from(file.base64, 'base64'))
    if (owner !== undefined) await handle.chown(owner.uid, owner.gid)
    await handle.chmod((file.mode & 0o777) | (forGroup ? 0o440 : 0))
  } finally {
    await handle.close()
  }
}

async function linkVisible(directory: string, name: string): Promise<void> {
  const target = `${DATA}/${name}`
  const current = await readlink(join(directory, name)).catch(ignoreMissing)
  if (current !== target) await swapLink(directory, name, target)
}

async function swapLink(directory: string, name: string, target: string): Promise<void> {
  const temporary = join(directory, `..link-${randomHex(6)}`)
  await symlink(target, temporary)
  await rename(temporary, join(directory, name))
}

async function removeStale(directory: string, keep: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (keep.has(entry.name)) continue
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await removeTree(path)
    else await unlink(path)
  }
}

function ignoreMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined
  throw error
}
