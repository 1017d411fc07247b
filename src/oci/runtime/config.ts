/**
 * What an administrator says about OCI runtimes in tspod.toml:
 *
 *   [runtime]
 *   default = "new"            # used when nothing else is asked for
 *   timeout_seconds = 60       # how long one call of a runtime may take
 *
 *   [runtimes.new]             # --runtime new, or the annotation io.tspod.runtime: new
 *   path = "/opt/crun/bin/crun"
 */
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import type { Paths } from '../../paths.ts'
import { readOptional } from '../storage.ts'
import { trustedFile } from './program.ts'

export type RuntimeConfig = {
  /** The file it was read from, for messages. */
  file: string
  /** Name of the runtime to use when nobody asks for one. */
  default?: string
  /** How long one call of a runtime may take. */
  timeoutMs?: number
  /** Paths of the configured runtimes by name. */
  paths: ReadonlyMap<string, string>
}

/** The pod annotation that names a runtime. */
export const RUNTIME_ANNOTATION = 'io.tspod.runtime'
/** In the order of preference: crun needs half the time and memory of runc. */
export const BUILT_IN = ['crun', 'runc'] as const
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const MAX_TIMEOUT_SECONDS = 3600

/**
 * Reads tspod.toml; without the file nothing is configured, and the parser is not loaded.
 * Throws CONFIG_INVALID with file and line, and UNSAFE_PATH for a file that others than root can change.
 */
export async function readRuntimeConfig(paths: Pick<Paths, 'config'>): Promise<RuntimeConfig> {
  const file = join(paths.config, 'tspod.toml')
  const real = trustedFile(file, 'is not obeyed')
  const text = real === undefined ? undefined : readOptional(real)
  return text === undefined ? { file, paths: new Map() } : parseRuntimeConfig(file, text)
}

/** The configuration in `text`. Throws CONFIG_INVALID with file and line. */
export async function parseRuntimeConfig(file: string, text: string): Promise<RuntimeConfig> {
  const { parse, TomlError } = await import('smol-toml')
  let tables: Record<string, unknown>
  try {
    tables = parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    throw invalid(file, error.line, error.message.split('\n')[0] ?? '')
  }
  const at = (what: string, ...keys: string[]): TspodError => invalid(file, lineOf(text, keys), what)
  refuseUnknown(tables, ['runtime', 'runtimes'], [], at)
  const own = tableAt(tables, ['runtime'], at)
  const named = tableAt(tables, ['runtimes'], at)
  refuseUnknown(own, ['default', 'timeout_seconds'], ['runtime'], at)
  const paths = new Map(Object.keys(named).map(name => [name, pathOf(named, name, at)]))
  const seconds = own.timeout_seconds
  if (seconds !== undefined && !isSeconds(seconds)) {
    throw at(`timeout_seconds is a whole number from 1 to ${MAX_TIMEOUT_SECONDS}`, 'runtime', 'timeout_seconds')
  }
  const chosen = own.default
  if (chosen !== undefined && !(typeof chosen === 'string' && isKnownName({ paths }, chosen))) {
    throw at(`default names none of ${namesOf({ paths }).join(', ')}`, 'runtime', 'default')
  }
  return {
    file,
    paths,
    ...(chosen !== undefined && { default: chosen }),
    ...(seconds !== undefined && { timeoutMs: seconds * 1000 }),
  }
}

type At = (what: string, ...keys: string[]) => TspodError

const isSeconds = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_TIMEOUT_SECONDS

function tableAt(tables: Record<string, unknown>, keys: [string, ...string[]], at: At): Record<string, unknown> {
  const value = tables[keys.at(-1) as string]
  if (value === undefined) return {}
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw at(`${keys.join('.')} is not a table`, ...keys)
}

function refuseUnknown(table: Record<string, unknown>, known: readonly string[], above: string[], at: At): void {
  const stranger = Object.keys(table).find(key => !known.includes(key))
  if (stranger === undefined) return
  const name = [...above, stranger].join('.')
  throw at(`there is no setting ${name}; known here: ${known.join(', ')}`, ...above, stranger)
}

function pathOf(named: Record<string, unknown>, name: string, at: At): string {
  if (!NAME.test(name)) throw at(`"${name}" is no name for a runtime: letters, digits, ".", "_", "-"`, 'runtimes', name)
  const table = tableAt(named, [name], at)
  refuseUnknown(table, ['path'], ['runtimes', name], at)
  if (typeof table.path === 'string' && /^\/[^\0]+$/.test(table.path)) return table.path
  throw at(`runtimes.${name} needs an absolute path`, 'runtimes', name, 'path')
}

/** Names that --runtime and the annotation may use, configured ones first. */
export function namesOf(config: Pick<RuntimeConfig, 'paths'>): string[] {
  return [...new Set([...config.paths.keys(), ...BUILT_IN])]
}

const isKnownName = (config: Pick<RuntimeConfig, 'paths'>, name: string): boolean => namesOf(config).includes(name)

/**
 * The runtime name in a pod's annotations, undefined without one. A manifest may come from anywhere, so that it can
 * only choose among what the administrator configured and crun and runc: never a path or another program.
 * Throws SECURITY_REFUSED otherwise, and what `readRuntimeConfig` throws.
 */
export async function annotatedRuntime(
  paths: Pick<Paths, 'config'>,
  pod: { name: string; annotations: Record<string, string>; runtimeClass?: string },
): Promise<string | undefined> {
  const annotation = pod.annotations[RUNTIME_ANNOTATION]
  const name = annotation ?? pod.runtimeClass
  if (name === undefined) return undefined
  const config = await readRuntimeConfig(paths)
  if (isKnownName(config, name)) return name
  const word = JSON.stringify(name.slice(0, 100))
  throw new TspodError(
    'SECURITY_REFUSED',
    `pod ${pod.name}: ${annotation === undefined ? 'runtimeClassName' : `the annotation ${RUNTIME_ANNOTATION}`} names ${word}`,
    {
      remedy: `use one of ${namesOf(config).join(', ')}, or configure it in ${config.file}`,
    },
  )
}

/** The line that says `keys`, as a header or as a key below one; the nearest thing above it otherwise. */
function lineOf(text: string, keys: readonly string[]): number {
  const lines = text.split('\n')
  const word = (key: string): string => `["']?${key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}["']?`
  let found = 0
  for (let depth = 1; depth <= keys.length; depth++) {
    const header = new RegExp(`^\\s*\\[+\\s*${keys.slice(0, depth).map(word).join('\\s*\\.\\s*')}\\s*[\\].]`)
    const key = new RegExp(`(^|[{,.\\s])${word(keys[depth - 1] as string)}\\s*[=.]`)
    const from = lines.findIndex((line, index) => index >= found && (header.test(line) || key.test(line)))
    if (from >= 0) found = from
  }
  return found + 1
}

const invalid = (file: string, line: number, what: string): TspodError =>
  new TspodError('CONFIG_INVALID', `${file}:${line}: ${what}`, { remedy: `correct line ${line} of ${file}` })
