/** Where manifests come from: files, standard input and URLs. */
import { fstatSync, readFileSync } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { addAbortSignal } from 'node:stream'
import { TspodError } from '../errors.ts'
import type { Problem } from './flags.ts'
import type { World } from './verb.ts'

/** The largest manifest that is read: no text of more bytes passes the limits of the translator (src/kube/read.ts). */
export const MAX_SOURCE_BYTES = 16 * 1024 * 1024
const URL_TIMEOUT_MS = 30_000

export type Source = { file: string; text: string }
type SourceWorld = Pick<World, 'stdin' | 'cwd' | 'signal'>

/** `-` is standard input and must stand alone, as in Podman. */
export function sourceProblems(names: readonly string[]): Problem[] {
  if (!names.includes('-') || names.length === 1) return []
  return [
    {
      message: '"-" reads standard input and must be the only source',
      remedy: 'put everything in one stream: (cat a.yaml; echo ---; cat b.yaml) | tspod kube play -',
    },
  ]
}

/**
 * Reads everything named on a command line, in that order: files, `-` for standard input, http and https URLs, which
 * are fetched within 30 seconds. Throws MANIFEST_UNREADABLE with all that could not be read.
 */
export async function readSources(names: readonly string[], world: SourceWorld): Promise<Source[]> {
  const results = await Promise.allSettled(names.map(name => readSource(name, world)))
  const failures = results.flatMap(result => (result.status === 'rejected' ? [result.reason as unknown] : []))
  if (failures.length === 0) return results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  const [first] = failures
  const allExpected = failures.every(failure => failure instanceof TspodError)
  if (failures.length === 1 || !allExpected || world.signal.aborted) throw first
  throw new TspodError('MANIFEST_UNREADABLE', `${failures.length} of ${names.length} sources cannot be read`, {
    remedy: 'nothing was created; fix the names and run the command again',
    details: failures.map(failure => (failure as TspodError).message).join('\n'),
    cause: first,
  })
}

/** Endings of files that are manifests. */
const MANIFEST = /\.(?:ya?ml|json)$/i

/**
 * The manifests in a directory, with `recursive` below it too, in the order of their names; links are not followed.
 * Undefined for anything that is no directory. Throws MANIFEST_UNREADABLE.
 */
export async function manifestsBelow(
  name: string,
  { cwd }: Pick<World, 'cwd'>,
  recursive = true,
): Promise<string[] | undefined> {
  try {
    const entries = await readdir(resolve(cwd, name), { recursive, withFileTypes: true })
    const files = entries.filter(entry => entry.isFile() && MANIFEST.test(entry.name))
    const root = resolve(cwd, name)
    return files.map(entry => join(name, relative(root, join(entry.parentPath, entry.name)))).sort()
  } catch (cause) {
    // What else is wrong with it is told when it is read.
    if (['ENOTDIR', 'ENOENT'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined
    throw unreadable(`open ${name}: ${systemReason(cause)}`, 'check the path and its permissions', cause)
  }
}

async function readSource(name: string, world: SourceWorld): Promise<Source> {
  if (name === '-') return { file: '-', text: decode('standard input', await readStdin(world)) }
  if (/^https?:\/\//i.test(name)) {
    return { file: withoutPassword(name), text: decode(withoutPassword(name), await fetchUrl(name, world.signal)) }
  }
  return { file: name, text: decode(name, await readFile(name, world)) }
}

async function readStdin(world: SourceWorld): Promise<Buffer> {
  try {
    return await collect('standard input', addAbortSignal(world.signal, world.stdin()))
  } catch (cause) {
    throw world.signal.aborted ? world.signal.reason : cause
  }
}

/** A file may also be a pipe (`<(envsubst <app.yaml)`): it is read once, to its end, and may take its time. */
async function readFile(name: string, world: SourceWorld): Promise<Buffer> {
  try {
    await using file = await open(resolve(world.cwd, name), 'r')
    if ((await file.stat()).isFile()) return readRegular(name, file.fd)
    return await collect(name, file.createReadStream({ autoClose: false, signal: world.signal }))
  } catch (cause) {
    if (cause instanceof TspodError) throw cause
    if (world.signal.aborted) throw world.signal.reason
    throw unreadable(`open ${name}: ${systemReason(cause)}`, 'check the path and its permissions', cause)
  }
}

/** At once: Node's streams cost 5 ms before the first byte. */
function readRegular(name: string, descriptor: number): Buffer {
  if (fstatSync(descriptor).size > MAX_SOURCE_BYTES) throw tooLarge(name)
  const content = readFileSync(descriptor)
  if (content.length > MAX_SOURCE_BYTES) throw tooLarge(name)
  return content
}

/** The words of the C library for the errors people meet, as Podman prints them. */
export function systemReason(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  const known: Record<string, string> = {
    ENOENT: 'no such file or directory',
    EACCES: 'permission denied',
    EISDIR: 'is a directory',
    ENOTDIR: 'not a directory',
    ELOOP: 'too many levels of symbolic links',
  }
  return (code === undefined ? undefined : known[code]) ?? message
}

async function fetchUrl(name: string, signal: AbortSignal): Promise<Buffer> {
  const shown = withoutPassword(name)
  const deadline = AbortSignal.timeout(URL_TIMEOUT_MS)
  try {
    const { url, headers } = request(name)
    const response = await fetch(url, { signal: AbortSignal.any([signal, deadline]), headers })
    if (!response.ok) {
      await response.body?.cancel()
      const status = `${response.status} ${response.statusText}`.trim()
      throw unreadable(`GET ${shown}: the server answered ${status}`, 'check the URL with curl -I')
    }
    return response.body === null ? Buffer.alloc(0) : await collect(shown, response.body)
  } catch (cause) {
    if (cause instanceof TspodError) throw cause
    if (signal.aborted) throw signal.reason
    const why = deadline.aborted ? `no answer within ${URL_TIMEOUT_MS / 1000} s` : fetchReason(cause)
    throw unreadable(`GET ${shown}: ${why}`, 'check the URL and the network, for example with curl -I', cause)
  }
}

/** fetch refuses a password inside a URL; it goes into the header it stands for. */
function request(name: string): { url: URL; headers: Record<string, string> } {
  const url = new URL(name)
  // One request per process: a connection kept open would only keep the process alive.
  const headers: Record<string, string> = { connection: 'close' }
  if (url.username !== '') {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`
    url.username = ''
    url.password = ''
  }
  return { url, headers }
}

function withoutPassword(name: string): string {
  if (!URL.canParse(name)) return name
  const url = new URL(name)
  if (url.username === '' && url.password === '') return name
  url.username = ''
  url.password = ''
  return url.href
}

/** fetch says only "fetch failed"; the reason is in the cause. */
function fetchReason(error: unknown): string {
  const cause = (error as Error).cause
  if (cause instanceof AggregateError) return cause.errors.map(each => (each as Error).message).join(', ')
  return cause instanceof Error && cause.message !== '' ? cause.message : (error as Error).message
}

/** All of a stream, up to the limit. Also throws what the stream throws. */
async function collect(name: string, stream: AsyncIterable<Uint8Array | string>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of stream) {
    const piece = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    bytes += piece.length
    if (bytes > MAX_SOURCE_BYTES) throw tooLarge(name)
    chunks.push(piece)
  }
  return Buffer.concat(chunks)
}

function decode(name: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw unreadable(`${name} is not UTF-8 text`, 'convert it, for example with iconv -t UTF-8', cause)
  }
}

const tooLarge = (name: string): TspodError =>
  unreadable(`${name} is larger than ${MAX_SOURCE_BYTES / 1024 / 1024} MiB`, 'split it into several manifests')

const unreadable = (message: string, remedy: string, cause?: unknown): TspodError =>
  new TspodError('MANIFEST_UNREADABLE', message, { remedy, cause })
