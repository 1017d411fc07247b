/** emptyDirs that are no directories of a disk: memory, and huge pages of it. */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { type PodSpec, servingContainers, type VolumeSpec } from '../../model.ts'
import type { Run } from '../../process.ts'
import type { VolumeSource } from './host-path.ts'
import { mountMemory } from './mounts.ts'

export type EmptyDir = VolumeSpec & { kind: 'emptyDir' }

/**
 * The emptyDir `volume` of `pod` below the directory `memory`, with its content if it is there already.
 * Throws VOLUME_INVALID where the kernel has no huge pages of the size that is asked for.
 */
export async function memoryDir(
  volume: EmptyDir,
  { memory, pod, run }: { memory: string; pod: PodSpec; run: Run },
): Promise<VolumeSource> {
  const path = join(memory, volume.name)
  await mkdir(path, { recursive: true, mode: 0o700 })
  const group = pod.security.fsGroup
  const owner = `mode=${emptyDirMode(volume, pod).toString(8).padStart(4, '0')}${group === undefined ? '' : `,gid=${group}`}`
  const options = `${owner},nosuid,nodev`
  if (volume.medium === 'hugepages') await mountHugePages(volume, path, options, run)
  else {
    const size = memorySize(volume.sizeBytes, pod)
    await mountMemory('tmpfs', path, `${options}${size === undefined ? '' : `,size=${size}`}`, run)
  }
  return { path, readOnly: false, directory: true, trust: 'container' }
}

/** The permission bits of an emptyDir: with an fsGroup it is the group's as well, as the kubelet makes it. */
export const emptyDirMode = ({ mode = 0o777 }: EmptyDir, pod: PodSpec): number =>
  pod.security.fsGroup === undefined ? mode : mode | 0o2070

/** Throws VOLUME_INVALID where the kernel has no pages of that size. */
async function mountHugePages(volume: EmptyDir, path: string, options: string, run: Run): Promise<void> {
  const { pageBytes, sizeBytes } = volume
  const known = await readdir('/sys/kernel/mm/hugepages').catch((): string[] => [])
  const wanted = pageBytes === undefined ? undefined : `hugepages-${pageBytes / 1024}kB`
  if (known.length === 0 || (wanted !== undefined && !known.includes(wanted))) {
    const sizes = known.map(name => name.slice('hugepages-'.length)).join(', ') || 'none'
    throw new TspodError('VOLUME_INVALID', `volume ${volume.name}: this host has no huge pages of that size`, {
      remedy: `use a size it has (${sizes}), or medium: Memory`,
    })
  }
  const page = pageBytes === undefined ? '' : `,pagesize=${pageBytes}`
  await mountMemory('hugetlbfs', path, `${options}${page}${sizeBytes === undefined ? '' : `,size=${sizeBytes}`}`, run)
}

/** The smallest of the volume's limit, the pod's own memory limit and those of all containers that stay; undefined leaves it to the kernel. */
export function memorySize(sizeBytes: number | undefined, pod: PodSpec): number | undefined {
  const limits = servingContainers(pod).map(container => container.resources.memoryLimitBytes ?? 0)
  const sum = limits.includes(0) ? 0 : limits.reduce((total, limit) => total + limit, 0)
  const bounds = [sizeBytes ?? 0, sum, pod.resources?.memoryLimitBytes ?? 0].filter(bound => bound > 0)
  return bounds.length === 0 ? undefined : Math.min(...bounds)
}
