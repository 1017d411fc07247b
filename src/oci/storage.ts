/**
 * containers-storage: where images and root file systems live, shared with Podman, Buildah and Skopeo.
 *
 * Reading goes straight to the store's JSON files, which are replaced atomically by whoever writes them; everything
 * that changes the store goes through the `containers-storage` program, which takes the store's locks.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMissing, TspodError } from '../errors.ts'
import type { Id, IdMaps, IdRange, LocalImage } from '../model.ts'
import { type Finished, failureText, type Run } from '../process.ts'
import { batched, type Outcome } from './batch.ts'
import { giveUpReserve, layReserve } from './store-reserve.ts'

/** One containers-storage store. */
export type Store = {
  graphRoot: string
  runRoot: string
  driver: string
  /** Read-only stores that images may come from as well. */
  additional: string[]
  /** The store that every program of this host uses by default: no flags are needed to name it. */
  system: boolean
}

/** Only files an administrator or a package writes: the caller's environment has no say (S40). The first one wins. */
const CONFIG_FILES = ['/etc/containers/storage.conf', '/usr/share/containers/storage.conf']
const DEFAULTS = { graphRoot: '/var/lib/containers/storage', runRoot: '/run/containers/storage' }

/**
 * Finds the system's store from storage.conf; spawns nothing.
 * Throws HOST_LACKS when storage.conf cannot be parsed.
 */
export async function openStorage(): Promise<Store> {
  for (const file of CONFIG_FILES) {
    const text = readOptional(file)
    if (text !== undefined) return storeFrom(file, await parseToml(file, text))
  }
  return storeFrom('', {})
}

type Table = Record<string, unknown>

function storeFrom(file: string, config: Table): Store {
  const storage = tableOf(config.storage)
  const graphRoot = pathOf(file, 'graphroot', storage.graphroot) ?? DEFAULTS.graphRoot
  const additional = tableOf(storage.options).additionalimagestores
  return {
    graphRoot,
    runRoot: pathOf(file, 'runroot', storage.runroot) ?? DEFAULTS.runRoot,
    driver: typeof storage.driver === 'string' && storage.driver !== '' ? storage.driver : driverInUse(graphRoot),
    additional: Array.isArray(additional) ? additional.filter(path => typeof path === 'string') : [],
    system: true,
  }
}

/** An empty driver means the one the store was first used with, and overlay for a new one. */
function driverInUse(graphRoot: string): string {
  return ['overlay', 'btrfs', 'zfs', 'vfs'].find(driver => existsSync(join(graphRoot, `${driver}-images`))) ?? 'overlay'
}

function pathOf(file: string, key: string, value: unknown): string | undefined {
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string' && value.startsWith('/')) return value
  throw new TspodError('HOST_LACKS', `${file}: ${key} is not an absolute path`, { remedy: `correct ${key} in ${file}` })
}

const tableOf = (value: unknown): Table => (typeof value === 'object' && value !== null ? (value as Table) : {})

/**
 * Parses a TOML file of containers-common; the parser is loaded on first use.
 * Throws HOST_LACKS naming the file when it is not TOML.
 */
export async function parseToml(file: string, text: string): Promise<Table> {
  const { parse } = await import('smol-toml')
  try {
    return parse(text)
  } catch (cause) {
    throw new TspodError('HOST_LACKS', `${file} cannot be read: ${(cause as Error).message.split('\n')[0]}`, {
      remedy: `correct ${file}`,
      cause,
    })
  }
}

/**
 * The text of a file, or undefined when there is none. Read at once: for files of this size a trip through Node's
 * thread pool costs ten times as much as the reading (measured: 1 ms and 0.1 ms).
 */
export function readOptional(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Flags by which `containers-storage` finds `store`; none for the system's. */
export function storageFlags(store: Store): string[] {
  if (store.system) return []
  return ['--graph', store.graphRoot, '--run', store.runRoot, '--storage-driver', store.driver]
}

/** How skopeo names an image of `store`. */
export function storageReference(store: Store, name: string): string {
  return store.system
    ? `containers-storage:${name}`
    : `containers-storage:[${store.driver}@${store.graphRoot}+${store.runRoot}]${name}`
}

export type MountedRoot = { path: string; count: number }
export type RootChange = { kind: 'changed' | 'added' | 'deleted'; path: string }

/** Root file systems of one installation. */
export type RootfsDoor = {
  /**
   * Makes a writable layer on top of `image` and mounts it, with `maps` for a user namespace: its directory then still
   * is the host's root's. Repeating it for the same id is harmless. `mounting` is called when there is nothing left but
   * to wait for the mount.
   */
  create(image: LocalImage, id: Id, name: string, maps?: IdMaps, mounting?: () => void): Promise<string>
  /** Mounts what `create` made, after a restart or a reboot, and returns the path. */
  remount(id: Id): Promise<string>
  /** Unmounts, however often it was mounted, and keeps; not mounted, or gone, is success. */
  unmount(id: Id): Promise<void>
  /** Takes one `remount` back: the store counts them. Not mounted, or gone, is success. */
  release(id: Id): Promise<void>
  /** What is mounted of this installation, and how often, by id; spawns nothing. */
  mounted(): Promise<Map<Id, MountedRoot>>
  /** Writes what differs from the image as an uncompressed layer to `file`; may take minutes. */
  writeLayer(id: Id, file: string, signal: AbortSignal): Promise<void>
  /** Differences between a root file system and its image; throws COMMAND_FAILED when the store does not know it. */
  changes(id: Id): Promise<RootChange[]>
  /** Unmounts and deletes; "already gone" is success. */
  remove(id: Id): Promise<void>
  /** Ids of all storage containers of this installation, mounted or not; spawns nothing. */
  list(): Promise<Id[]>
}

/**
 * The door to root file systems in `store`. `owner` is the installation's root directory: it is written into every
 * storage container's metadata, so that `list` finds ours and only ours. Calls that arrive together share processes.
 * Members throw COMMAND_FAILED, and IMAGE_NOT_FOUND when the image vanished meanwhile.
 */
export function rootfsDoor(run: Run, store: Store, owner: string): RootfsDoor {
  const storage = (verb: string, ...args: string[]): Promise<Finished> =>
    run({ argv: ['containers-storage', verb, ...storageFlags(store), ...args] })
  const mount = batched(async ids => mountOutcomes(await storage('mount', '--json', ...ids), ids))
  const unmount = batched(async ids => unmountOutcomes(await storage('unmount', '--json', '--force', ...ids), ids))
  const release = batched(async ids => unmountOutcomes(await storage('unmount', '--json', ...ids), ids))
  const remove = batched(async ids => {
    const said = await storage('delete-container', '--json', ...ids)
    if (!isFull(said) || !giveUpReserve(store)) return removeOutcomes(said, ids)
    return removeOutcomes(await storage('delete-container', '--json', ...ids), ids)
  })
  const layerOf = (id: Id): string => {
    const layer = ownContainers(store, owner).find(container => container.id === id)?.layer
    if (layer === undefined) throw storageFailed(`cannot look into ${id.slice(0, 12)}`, 'it has no root file system')
    return layer
  }
  return {
    async create(image, id, name, maps, mounting) {
      layReserve(store)
      const metadata = JSON.stringify({ tspod: { root: owner, name } })
      // The store's names are shared with Podman and Buildah: ours cannot meet theirs.
      const storageName = `tspod-${name}-${id.slice(0, 12)}`
      const made = await storage(
        'create-container',
        '--id',
        id,
        '--name',
        storageName,
        '--metadata',
        metadata,
        ...mapFlags(maps),
        image.id,
      )
      if (made.exitCode !== 0 && !/already in use/.test(made.stderr)) throw createFailed(image, made)
      const mounted = mount(id)
      // Once the program has been started.
      if (mounting !== undefined) queueMicrotask(mounting)
      return mounted.catch(error => {
        throw maps !== undefined && maps.uids.length + maps.gids.length > 2 ? noSeveralRanges(error) : error
      })
    },
    remount: id => mount(id),
    unmount: id => unmount(id),
    release: id => release(id),
    mounted: async () => mountedRoots(store, owner),
    async writeLayer(id, file, signal) {
      const argv = ['containers-storage', 'diff', ...storageFlags(store), '--uncompressed', '--file', file, layerOf(id)]
      const said = await run({ argv: argv as [string, ...string[]], timeoutMs: LAYER_TIMEOUT_MS }, signal)
      if (said.exitCode !== 0) throw storageFailed(`cannot read the layer of ${id.slice(0, 12)}`, failureText(said))
    },
    async changes(id) {
      const said = await storage('changes', '--json', layerOf(id))
      const found = parseOutput<{ Path: string; Kind: number }[] | null>(said)
      if (said.exitCode !== 0 || found === undefined) {
        throw storageFailed(`cannot compare ${id.slice(0, 12)} with its image`, failureText(said))
      }
      return (found ?? []).map(({ Path, Kind }) => ({ path: Path, kind: CHANGE_KINDS[Kind] ?? 'changed' }))
    },
    remove: id => remove(id),
    list: async () => ownContainers(store, owner).map(container => container.id),
  }
}

const mapFlags = (maps: IdMaps | undefined): string[] => {
  // All ranges in one: of several flags the last alone counts.
  const text = (ranges: readonly IdRange[]): string =>
    ranges.map(({ inside, outside, count }) => `${inside}:${outside}:${count}`).join(':')
  return maps === undefined ? [] : ['--uidmap', text(maps.uids), '--gidmap', text(maps.gids)]
}

/** 1.43 of Debian 12 is one that cannot, 1.57 of Debian 13 can. */
const noSeveralRanges = (cause: Error): TspodError =>
  new TspodError('HOST_LACKS', `containers-storage cannot map several ranges of ids here: ${cause.message}`, {
    remedy: 'leave out uidmapping and gidmapping of --userns, or use a newer containers-storage',
    cause,
  })

/** What people call an image. */
export const imageLabel = ({ names, id }: Pick<LocalImage, 'names' | 'id'>): string => names[0] ?? id.slice(0, 12)

function createFailed(image: LocalImage, made: Finished): TspodError {
  const label = imageLabel(image)
  if (/image not known/.test(made.stderr)) {
    return new TspodError('IMAGE_NOT_FOUND', `image ${label} was removed while it was about to be used`, {
      remedy: 'play again: the image is then pulled, unless its pull policy is Never',
    })
  }
  return storageFailed(`cannot make a root file system from ${label}`, failureText(made))
}

const isFull = ({ stdout, stderr }: Finished): boolean => /no space left|quota exceeded/i.test(stdout + stderr)

/** What the program could not do, with what helps. */
export const storageFailed = (doing: string, why: string): TspodError =>
  new TspodError('COMMAND_FAILED', `${doing}: ${why}`, {
    remedy: /no space left/i.test(why)
      ? 'free some disk space in the image store'
      : 'see `tspod doctor` for the state of containers-storage',
  })

type Mounted = { id: string; mountpoint: string; error: string }

function mountOutcomes(finished: Finished, ids: readonly string[]): Map<string, Outcome<string>> {
  const mounted = parseOutput<Mounted[]>(finished) ?? []
  return new Map(
    ids.map((id): [string, Outcome<string>] => {
      const one = mounted.find(entry => entry.id === id)
      if (one?.mountpoint) return [id, { value: one.mountpoint }]
      const error = storageFailed(
        `cannot mount the root file system of ${id.slice(0, 12)}`,
        one?.error || failureText(finished),
      )
      return [id, { error }]
    }),
  )
}

/** Whatever is not mounted is as it should be. */
const NOT_MOUNTED = /not mounted|layer not known|not known|does not exist/

function unmountOutcomes(finished: Finished, ids: readonly string[]): Map<string, Outcome<void>> {
  const answers = parseOutput<{ id: string; error: string }[]>(finished) ?? []
  return new Map(
    ids.map((id): [string, Outcome<void>] => {
      const said =
        answers.find(answer => answer.id === id)?.error ?? (finished.exitCode === 0 ? '' : failureText(finished))
      if (said === '' || NOT_MOUNTED.test(said)) return [id, { value: undefined }]
      return [id, { error: storageFailed(`cannot unmount the root file system of ${id.slice(0, 12)}`, said) }]
    }),
  )
}

/** What containers-storage says of an id that it does not know, which is what a removal wants to hear. */
const GONE = /not a container|not known|does not exist/

function removeOutcomes(finished: Finished, ids: readonly string[]): Map<string, Outcome<void>> {
  const errors = parseOutput<Record<string, string>>(finished)
  return new Map(
    ids.map((id): [string, Outcome<void>] => {
      const said = errors?.[id] ?? (finished.exitCode === 0 ? '' : failureText(finished))
      if (said === '' || GONE.test(said)) return [id, { value: undefined }]
      return [id, { error: storageFailed(`cannot remove the root file system of ${id.slice(0, 12)}`, said) }]
    }),
  )
}

function parseOutput<T>(finished: Finished): T | undefined {
  try {
    return JSON.parse(finished.stdout) as T
  } catch {
    return undefined
  }
}

/** A layer may hold gigabytes. */
const LAYER_TIMEOUT_MS = 30 * 60_000
/** As containers-storage numbers them. */
const CHANGE_KINDS: readonly RootChange['kind'][] = ['changed', 'added', 'deleted']

function mountedRoots(store: Store, owner: string): Map<Id, MountedRoot> {
  const text = readOptional(join(store.runRoot, `${store.driver}-layers`, 'mountpoints.json'))
  const points = text ? (JSON.parse(text) as ({ id: string } & MountedRoot)[]) : []
  const mounted = new Map(points.map(({ id, path, count }) => [id, { path, count }]))
  return new Map(
    ownContainers(store, owner).flatMap(({ id, layer }): [Id, MountedRoot][] => {
      const found = mounted.get(layer)
      return found === undefined || found.count === 0 ? [] : [[id, found]]
    }),
  )
}

type StorageMap = { container_id: number; host_id: number; size: number }
type StorageContainer = {
  id: Id
  layer: string
  metadata?: string
  uidmap?: StorageMap[]
  gidmap?: StorageMap[]
}

const ownContainers = (store: Store, owner: string): StorageContainer[] =>
  allContainers(store).filter(container => ownerOf(container.metadata) === owner)

function allContainers({ graphRoot, driver }: Store): StorageContainer[] {
  const directory = join(graphRoot, `${driver}-containers`)
  const texts = ['containers.json', 'volatile-containers.json'].map(file => readOptional(join(directory, file)))
  return texts.flatMap(text => (text ? (JSON.parse(text) as StorageContainer[]) : []))
}

/** Ids of the host that containers of the store are mapped to, whoever made them; spawns nothing. */
export function idsInUse(store: Store): IdRange[] {
  return allContainers(store).flatMap(({ uidmap = [], gidmap = [] }) =>
    [...uidmap, ...gidmap].map(({ container_id, host_id, size }) => ({
      inside: container_id,
      outside: host_id,
      count: size,
    })),
  )
}

function ownerOf(metadata: string | undefined): string | undefined {
  try {
    return (JSON.parse(metadata ?? '') as { tspod?: { root?: string } }).tspod?.root
  } catch {
    return undefined
  }
}
