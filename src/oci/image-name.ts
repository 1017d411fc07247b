/** Names of images: taking them apart, and what a short one may stand for. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../errors.ts'
import { parseToml, readOptional } from './storage.ts'

/** A name taken apart: `registry` is absent in a short name. */
export type ImageName = {
  registry?: string
  /** Path below the registry. */
  path: string
  tag?: string
  digest?: string
}

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const HOST =
  '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?'
/** The grammar of distribution's reference package; a tag has at most 128 characters. */
const NAME = new RegExp(
  `^(?:(${HOST})/)?(${COMPONENT}(?:/${COMPONENT})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?$`,
)
const MAX_NAME = 255

/**
 * Takes an image name apart. The part before the first slash is a registry when it has a dot or a colon or is
 * `localhost`; docker.io's official images get their `library/`. Throws IMAGE_BAD_NAME.
 */
export function parseImageName(text: string): ImageName {
  const plain = text.replace(/^docker:\/\//, '')
  const [, host, path = '', tag, digest] = NAME.exec(plain) ?? []
  if (path === '') throw badName(text)
  const facts = { ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) }
  if (host === undefined) return checked(text, { path, ...facts })
  if (!/[.:]/.test(host) && host !== 'localhost') {
    if (host !== host.toLowerCase()) throw badName(text)
    return checked(text, { path: `${host}/${path}`, ...facts })
  }
  const registry = host === 'index.docker.io' ? 'docker.io' : host
  return checked(text, { registry, path: registry === 'docker.io' ? official(path) : path, ...facts })
}

function checked(text: string, name: ImageName): ImageName {
  if ((name.registry?.length ?? 0) + name.path.length > MAX_NAME) throw badName(text)
  return name
}

const official = (path: string): string => (path.includes('/') ? path : `library/${path}`)

const badName = (text: string): TspodError =>
  new TspodError('IMAGE_BAD_NAME', `${JSON.stringify(text)} is not an image name`, {
    remedy: 'write it as registry.example/path/name:tag in lower case, or with @sha256: and 64 digits',
  })

/** A complete name: what a tag or digest is appended to, and the tag to use without a digest. */
export type Candidate = { repository: string; tag: string }

/** What an administrator says about short names. */
export type ShortNames = { aliases: Record<string, string>; searchRegistries: string[] }

/** The names under which an image that is present may be known; see `findImage` for the order. */
export async function localCandidates(name: ImageName): Promise<Candidate[]> {
  if (name.registry !== undefined) return [candidate(name.registry, name)]
  const { alias, searched } = await shortCandidates(name)
  return unique([...alias, candidate('localhost', name), ...searched, candidate('docker.io', name)])
}

/**
 * The names to pull, best first: the alias alone where there is one, otherwise each search registry.
 * Throws IMAGE_PULL_FAILED when a short name has neither.
 */
export async function pullCandidates(name: ImageName, shortNames?: ShortNames): Promise<Candidate[]> {
  if (name.registry !== undefined) return [candidate(name.registry, name)]
  const { alias, searched } = await shortCandidates(name, shortNames)
  if (alias.length > 0) return alias
  if (searched.length > 0) return unique(searched)
  throw new TspodError('IMAGE_PULL_FAILED', `${name.path} is a short name, and no registry is configured for those`, {
    remedy: `write the full name, for example docker.io/${official(name.path)}, or list registries as unqualified-search-registries in /etc/containers/registries.conf`,
  })
}

async function shortCandidates(
  name: ImageName,
  known?: ShortNames,
): Promise<{ alias: Candidate[]; searched: Candidate[] }> {
  const { aliases, searchRegistries } = known ?? (await readShortNames())
  const target = Object.hasOwn(aliases, name.path) ? parseImageName(aliases[name.path] as string) : undefined
  return {
    alias:
      target?.registry === undefined
        ? []
        : [{ repository: `${target.registry}/${target.path}`, tag: name.tag ?? target.tag ?? 'latest' }],
    searched: searchRegistries.map(registry => candidate(registry, name)),
  }
}

function candidate(registry: string, name: ImageName): Candidate {
  const path = registry === 'docker.io' ? official(name.path) : name.path
  return { repository: `${registry}/${path}`, tag: name.tag ?? 'latest' }
}

const unique = (list: readonly Candidate[]): Candidate[] => [
  ...new Map(list.map(entry => [`${entry.repository}:${entry.tag}`, entry])).values(),
]

const REGISTRIES_CONF = '/etc/containers/registries.conf'

/**
 * Aliases and search registries from registries.conf and registries.conf.d, later files winning entry by entry
 * (containers-registries.conf.d(5)). Only system files count (S40); a file of the tests may be named.
 * Throws HOST_LACKS when a file is not TOML.
 */
export async function readShortNames(main: string = REGISTRIES_CONF): Promise<ShortNames> {
  const directory = `${main}.d`
  const dropIns = (await readdir(directory).catch(() => [])).filter(file => file.endsWith('.conf')).sort()
  const files = [main, ...dropIns.map(file => join(directory, file))]
  const tables = await Promise.all(
    files.map(async (file): Promise<Record<string, unknown>> => {
      const text = readOptional(file)
      return text === undefined ? {} : parseToml(file, text)
    }),
  )
  const names: ShortNames = { aliases: {}, searchRegistries: [] }
  for (const table of tables) {
    const registries = table['unqualified-search-registries']
    if (Array.isArray(registries)) names.searchRegistries = registries.filter(entry => typeof entry === 'string')
    for (const [short, full] of Object.entries((table.aliases ?? {}) as Record<string, unknown>)) {
      if (typeof full === 'string' && full !== '') names.aliases[short] = full
      else delete names.aliases[short]
    }
  }
  return names
}
