/** hostPath volumes: is there what the manifest says, and what is it. */
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isMissing, TspodError } from '../../errors.ts'
import { openBeneath } from '../../files.ts'
import type { HostPathType, VolumeSpec } from '../../model.ts'
import { type DeviceNumber, deviceNumber } from '../../oci/index.ts'

/** One volume, ready to be mounted. */
export type VolumeSource = {
  /** Real path on the host. */
  path: string
  readOnly: boolean
  directory: boolean
  /** Who can change what is inside: nobody but tspod, the containers, whoever owns that part of the host, or nobody. */
  trust: 'ours' | 'container' | 'host' | 'image'
  /** Where subPaths are looked up, when that is not `path`: the current generation of projected files. */
  content?: string
  /** Nothing in it is run. */
  noexec?: true
  /** A device that the container was explicitly given. */
  device?: DeviceNumber
}

/** Made for the pod alone, with the owners of its user namespace: it needs no mapping, which not every kernel has. */
export const isForPod = ({ trust }: VolumeSource): boolean => trust === 'ours' || trust === 'image'

type Stat = Awaited<ReturnType<typeof stat>>
type HostPath = VolumeSpec & { kind: 'hostPath' }

const MAX_LEVELS = 4096

const IS_RIGHT: Record<HostPathType, (found: Stat) => boolean> = {
  '': () => true,
  Directory: found => found.isDirectory(),
  DirectoryOrCreate: found => found.isDirectory(),
  File: found => found.isFile(),
  FileOrCreate: found => found.isFile(),
  Socket: found => found.isSocket(),
  CharDevice: found => found.isCharacterDevice(),
  BlockDevice: found => found.isBlockDevice(),
}

/**
 * Checks one hostPath by its type as the kubelet does, and makes what `…OrCreate` asks for: directories 0755 with
 * the ones above, a file 0644 in a directory that exists, owned by root. The path is the administrator's, so links
 * in it count; what is mounted is the path they led to when it was checked.
 * Throws VOLUME_INVALID when it is missing or something else, UNSAFE_PATH when a link dangles where it would be made.
 */
export async function checkHostPath(volume: HostPath): Promise<VolumeSource> {
  const real = (await realIfThere(volume.path)) ?? (await makeMissing(volume))
  const found = await stat(real)
  if (!IS_RIGHT[volume.type](found)) throw wrongType(volume, kindOf(found))
  const device = volume.type === 'CharDevice' || volume.type === 'BlockDevice' ? await deviceNumber(real) : undefined
  return {
    path: real,
    readOnly: false,
    directory: found.isDirectory(),
    trust: 'host',
    ...(device !== undefined && { device }),
  }
}

/** What is wrong with a hostPath, in a sentence; makes nothing. */
export async function hostPathProblem(volume: HostPath): Promise<string | undefined> {
  const real = await realIfThere(volume.path)
  if (real === undefined) return volume.type.endsWith('OrCreate') ? undefined : wrongType(volume, 'missing').message
  const found = await stat(real)
  return IS_RIGHT[volume.type](found) ? undefined : wrongType(volume, kindOf(found)).message
}

async function makeMissing(volume: HostPath): Promise<string> {
  if (volume.type === 'DirectoryOrCreate') {
    const { above, rest } = await nearestDirectory(volume.path)
    openBeneath(above, rest, { create: 'directory', mode: 0o755, acrossMounts: true }).close()
    return join(above, rest)
  }
  const parent = await realIfThere(dirname(volume.path))
  if (volume.type !== 'FileOrCreate' || parent === undefined) throw wrongType(volume, 'missing')
  openBeneath(parent, basename(volume.path), { create: 'file', mode: 0o644, acrossMounts: true }).close()
  return join(parent, basename(volume.path))
}

/** The last directory of a path that exists, and what is missing below it. */
async function nearestDirectory(path: string): Promise<{ above: string; rest: string }> {
  let [above, rest] = [path, '']
  for (let level = 0; level < MAX_LEVELS; level++) {
    const real = await realIfThere(above)
    if (real !== undefined) return { above: real, rest }
    rest = join(basename(above), rest)
    above = dirname(above)
  }
  throw new Error(`no directory above ${path} exists`)
}

async function realIfThere(path: string): Promise<string | undefined> {
  try {
    return await realpath(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function kindOf(found: Stat): string {
  if (found.isDirectory()) return 'a directory'
  if (found.isFile()) return 'a file'
  if (found.isSocket()) return 'a socket'
  if (found.isCharacterDevice()) return 'a character device'
  return found.isBlockDevice() ? 'a block device' : 'a FIFO'
}

function wrongType(volume: HostPath, found: string): TspodError {
  const wanted = volume.type === '' ? '' : ` (type ${volume.type})`
  const message = `volume ${volume.name}: hostPath ${volume.path}${wanted} is ${found}`
  return new TspodError('VOLUME_INVALID', message, {
    remedy: found === 'missing' ? 'make it, or set type: DirectoryOrCreate' : 'correct the path or the type',
  })
}
