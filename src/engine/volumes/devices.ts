/**
 * Claims behind which is a file system of their own, by Podman's annotations: mounted when the first pod needs it and
 * unmounted when the last one has come to rest.
 */
import { mkdir, realpath, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import type { PodSpec } from '../../model.ts'
import { volumeDirectory } from '../../paths.ts'
import { failureText } from '../../process.ts'
import type { EngineContext, PodWork } from '../context.ts'
import { readPods, readSandbox, takeLock } from '../state/index.ts'
import type { VolumeSource } from './host-path.ts'
import { readMountPoints, unmountBelow } from './mounts.ts'
import { annotationsOf, ownerIn } from './records.ts'

/** What mount(8) is told. */
type Device = { device: string; type?: string; options: string[] }

/** A server that does not answer may keep mount waiting for its own two minutes. */
const LOCK_TIMEOUT_MS = 180_000
/** Each is a word of a command line: see the translator, which has looked at those of manifests already. */
const WORD = /^[^-\p{Cc}][^\p{Cc}]*$/u

/**
 * Mounts the file system of a claim, or finds it mounted, and returns it; undefined for a claim that is a plain
 * directory. What its options forbid has to be forbidden again wherever it is mounted in containers.
 * Throws VOLUME_INVALID when it cannot be mounted.
 */
export async function mountClaim(context: EngineContext, claim: string): Promise<VolumeSource | undefined> {
  const found = deviceIn(claim, await annotationsOf(context, claim))
  if (found === undefined) return undefined
  const path = join(volumeDirectory(context.paths, claim), '_data')
  await mkdir(path, { recursive: true, mode: 0o700 })
  await underVolumeLock(context, async () => {
    const target = await realpath(path)
    if (readMountPoints().some(mount => mount.path === target)) return
    const { device, type, options } = found
    const argv = ['mount', ...(type === undefined ? [] : ['-t', type]), ...optionFlags(options), '--', device, target]
    const finished = await context.run({ argv: argv as [string, ...string[]] })
    if (finished.exitCode === 0) return
    throw new TspodError('VOLUME_INVALID', `volume ${claim}: ${device} cannot be mounted: ${failureText(finished)}`, {
      remedy: 'correct the annotations volume.podman.io/device, type and mount-options of the claim',
    })
  })
  const has = (option: string): boolean => found.options.includes(option)
  return { path, readOnly: has('ro'), directory: true, trust: 'container', ...(has('noexec') && { noexec: true }) }
}

const optionFlags = (options: readonly string[]): string[] => (options.length === 0 ? [] : ['-o', options.join(',')])

/** Unmounts those of a pod's claims that no other pod needs now. Repeated after the last one it does nothing. */
export async function releaseClaims({ context, pod }: PodWork): Promise<void> {
  for (const claim of claimsOf(pod.spec)) {
    if (deviceIn(claim, await annotationsOf(context, claim)) === undefined) continue
    await underVolumeLock(context, async () => {
      const others = (await readPods(context.store)).filter(
        other => other.id !== pod.id && claimsOf(other.spec).includes(claim),
      )
      const sandboxes = await Promise.all(others.map(({ id }) => readSandbox(context.store, id, context.boot)))
      if (sandboxes.some(sandbox => sandbox !== undefined && sandbox.state !== 'down')) return
      const path = join(volumeDirectory(context.paths, claim), '_data')
      await unmountBelow([path], context.run)
      // What is copied into a container at rest must not end up below the next mount.
      await rmdir(path).catch(() => undefined)
    })
  }
}

const claimsOf = ({ volumes }: PodSpec): string[] =>
  volumes.flatMap(volume => (volume.kind === 'claim' ? volume.claim : []))

/** True for annotations of a claim behind which is a file system of its own. */
export const isBehind = (annotations: Readonly<Record<string, string>>): boolean =>
  (annotations['volume.podman.io/device'] ?? '') !== ''

/** Memory is given to the claim's owner when it is mounted; other file systems have owners of their own. */
function deviceIn(claim: string, annotations: Record<string, string>): Device | undefined {
  const [device = '', type = '', options = ''] = ['device', 'type', 'mount-options'].map(
    name => annotations[`volume.podman.io/${name}`],
  )
  if (device === '') return undefined
  const words = [device, type, options].filter(word => word !== '')
  if (words.some(word => !WORD.test(word)) || type.startsWith('fuse'))
    throw new TspodError('VOLUME_INVALID', `volume ${claim}: its annotations do not name a device`, {
      remedy: 'correct volume.podman.io/device, type and mount-options',
    })
  const owner = type === 'tmpfs' ? ownerIn(annotations) : undefined
  return {
    device,
    ...(type !== '' && { type }),
    options: [
      ...options.split(',').filter(Boolean),
      ...(owner === undefined ? [] : [`uid=${owner.uid}`, `gid=${owner.gid}`]),
    ],
  }
}

/** Two pods that come at once must not both mount it, and one that comes must not lose it to one that goes. */
export async function underVolumeLock<T>({ paths, clock }: EngineContext, work: () => Promise<T>): Promise<T> {
  const request = { paths, clock, name: '@volumes', command: 'tspod', timeoutMs: LOCK_TIMEOUT_MS }
  await using _lock = await takeLock(request)
  return await work()
}
