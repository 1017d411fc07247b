/** What a pod can be told of itself only now that it exists, and the parts of its spec that wait for it. */
import { statfsSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { TspodError } from '../../errors.ts'
import { readPlain } from '../../files.ts'
import type { ContainerSpec, FileKey, PodSpec, RuntimeField } from '../../model.ts'
import type { PodWork } from '../context.ts'
import type { PreparedVolumes } from '../volumes/index.ts'

/** What only this pod on this host can say; of limits the translator asks only where none is set. */
export function runtimeFact(work: PodWork, field: RuntimeField): string {
  const { host, paths } = work.context
  const addresses = work.sandbox.addresses
  switch (field) {
    case 'metadata.uid':
      return work.pod.id
    case 'status.podIP':
      return addresses[0] ?? hostAddress()
    case 'status.podIPs':
      return addresses.join(',') || hostAddress()
    case 'status.hostIP':
    case 'status.hostIPs':
      return hostAddress()
    case 'spec.nodeName':
      return hostname()
    case 'limits.cpu':
      return String(host.cpus)
    case 'limits.memory':
      return String(host.memoryBytes)
    case 'limits.ephemeral-storage': {
      const { blocks, bsize } = statfsSync(paths.root)
      return String(blocks * bsize)
    }
  }
}

/** The first address of this host that others can reach. */
function hostAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  return all.find(address => address.family === 'IPv4' && !address.internal)?.address ?? '127.0.0.1'
}

/** The spec with the content of files that tell of the pod itself. */
export async function withRuntimeFiles(work: PodWork): Promise<PodSpec> {
  const { spec } = work.pod
  const waits = spec.volumes.some(volume => volume.kind === 'files' && volume.files.some(file => 'runtime' in file))
  if (!waits) return spec
  const { runtimeValue } = await import('../../kube/index.ts')
  const volumes = spec.volumes.map(volume => {
    if (volume.kind !== 'files') return volume
    const files = volume.files.map(file => {
      if (!('runtime' in file)) return file
      const text = runtimeValue(file, field => runtimeFact(work, field))
      return { path: file.path, mode: file.mode, base64: Buffer.from(text, 'utf8').toString('base64') }
    })
    return { ...volume, files }
  })
  return { ...spec, volumes }
}

/** Enough for any environment: the kernel takes 128 KiB for one variable and 2 MiB for all. */
const MAX_ENV_FILE_BYTES = 1024 * 1024

type Find = (text: string, key: string) => { value: string } | { problem: string } | undefined

/**
 * What `find` finds of a variable in an env file that a container wrote; undefined where file or key are missing and
 * may be. Throws VOLUME_INVALID, without a word of what is in the file, UNSAFE_PATH for anything but a regular file
 * that is reached without links.
 */
export function envFileValue(key: FileKey, sources: PreparedVolumes['sources'], find: Find): string | undefined {
  const source = sources.get(key.volume)
  if (source === undefined) throw new Error(`volume ${key.volume} was not prepared`)
  const refused = (why: string): TspodError =>
    new TspodError('VOLUME_INVALID', `the file ${key.path} of volume ${key.volume} ${why}`, {
      remedy: `correct what writes it: each line is NAME='VALUE'; or set optional: true where it may be missing`,
    })
  const bytes = readPlain(source.path, key.path, MAX_ENV_FILE_BYTES)
  if (bytes === undefined && !key.optional) throw refused('does not exist')
  if (bytes === undefined) return undefined
  const text = textOf(bytes)
  if (text === undefined) throw refused('is not text')
  const found = find(text, key.key)
  if (found === undefined && !key.optional) throw refused(`does not set ${key.key}`)
  if (found === undefined) return undefined
  if ('problem' in found) throw refused(`is no env file: ${found.problem}`)
  return found.value
}

/** Undefined for what no variable can hold. */
function textOf(bytes: Buffer): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined
  }
}

type Expand = (text: string, lookup: (name: string) => string | undefined) => string

/**
 * The container with its subPathExprs as subPaths, by the rules of `expand` and the variables in `env`.
 * Throws VOLUME_INVALID for one that names no variable of the container, or that leads out of the volume: the message
 * does not say what it came to, since that may be a secret.
 */
export function withSubPaths(container: ContainerSpec, expand: Expand, env: Record<string, string>): ContainerSpec {
  const mounts = container.mounts.map(({ subPathExpr, ...mount }) => {
    if (subPathExpr === undefined) return mount
    const refused = (why: string): TspodError =>
      new TspodError(
        'VOLUME_INVALID',
        `container ${container.name}: subPathExpr ${JSON.stringify(subPathExpr)} ${why}`,
        {
          remedy: 'correct it, or the variables of the container',
        },
      )
    const subPath = expand(subPathExpr, name => {
      if (!Object.hasOwn(env, name)) throw refused(`needs the variable ${name}, and there is none`)
      return env[name]
    })
    if (subPath.startsWith('/')) throw refused('comes to an absolute path')
    const parts = subPath.split('/').filter(part => part !== '' && part !== '.')
    if (parts.includes('..') || subPath.includes('\0')) throw refused('leads out of the volume')
    return { ...mount, subPath: parts.join('/') }
  })
  return { ...container, mounts }
}
