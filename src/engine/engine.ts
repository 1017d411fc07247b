/** Puts the engine together: opens the store, reads what the host is like, and hands out its operations. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isMissing, TspodError } from '../errors.ts'
import type { LocalImage } from '../model.ts'
import {
  findImage,
  listImages,
  networkDoor,
  openStorage,
  type PullDoor,
  pullDoor,
  type Runtime,
  readHierarchies,
  readHostFacts,
  rootfsDoor,
  selectRuntime,
} from '../oci/index.ts'
import { databasePath } from '../paths.ts'
import { openManager, systemdPresent } from '../systemd/index.ts'
import { beginBoot, readBootKey } from './boot.ts'
import { cleanup, cleanupExec } from './cleanup.ts'
import type { EngineContext } from './context.ts'
import { readEvents } from './events/index.ts'
import { attach, exec, execDetached, execOnTerminal, startAttached } from './exec/index.ts'
import { openInside } from './inside/index.ts'
import { tendNamed, tendWith } from './jobs/index.ts'
import { startLate } from './late.ts'
import { once } from './once.ts'
import {
  exportCheckpoint,
  importCheckpoint,
  operateContainers,
  operatePods,
  rename,
  updateLimits,
  waitFor,
} from './operate/index.ts'
import { down, play, pull, serviceEnd } from './play/index.ts'
import { awaitReady } from './probe/index.ts'
import { missProber } from './prober.ts'
import { openProxies } from './proxies.ts'
import { recordReboot, startAfterReboot } from './refresh.ts'
import { openStore, takeLock } from './state/index.ts'
import { tick } from './tick.ts'
import { missTimekeeper, settleHelper } from './timekeeper.ts'
import type { Doors, Engine, ListedPod } from './types/index.ts'
import { find, generated, inspect, loadAll } from './view/index.ts'
import {
  createVolume,
  findVolume,
  listSecrets,
  listVolumes,
  removeNamed,
  removeSecrets,
  storedSecrets,
} from './volumes/index.ts'

/** containers-common's default profile, where Debian and Fedora install it. */
const SECCOMP_PROFILES = ['/etc/containers/seccomp.json', '/usr/share/containers/seccomp.json']

/** Where sd_journal_send(3) writes to. */
const JOURNAL_SOCKET = '/run/systemd/journal/socket'

/**
 * Opens the engine on one installation.
 * @throws STORE_NEWER, STORE_CORRUPT, STORE_UNUSABLE.
 */
export async function openEngine(doors: Doors): Promise<Engine> {
  const hierarchies = readHierarchies()
  const [store, host] = await Promise.all([openStore(databasePath(doors.paths)), readHostFacts(hierarchies)])
  const storage = once(openStorage)
  const systemd = systemdPresent()
  const runtimes = new Map<string, Promise<Runtime>>()
  const profiles = new Map<string, Promise<unknown>>()
  const found = new Map<string, Promise<LocalImage | undefined>>()
  const rootfs = once(async () => rootfsDoor(doors.run, await storage(), doors.paths.root))
  const proxies = openProxies({ ...doors, store })
  const contextOf = (boot: string): EngineContext => ({
    ...doors,
    store,
    host,
    boot,
    hierarchies,
    cgroupPlace: systemd ? { manager: 'systemd' } : { manager: 'cgroupfs' },
    journal: systemd && existsSync(JOURNAL_SOCKET),
    manager: openManager(doors.clock),
    proxies,
    storage,
    rootfs,
    networks: networkDoor(doors.run, doors.paths, work => underNetworkLock(doors, work)),
    pulls: once(async () => telling(pullDoor(doors.stream, await storage(), doors.paths), () => found.clear())),
    findImage: name => cached(found, name, async () => findImage(await storage(), name)),
    runtime: wanted => cached(runtimes, wanted ?? '', () => selectRuntime(doors.run, doors.paths, host, wanted)),
    seccompProfile: path =>
      cached(profiles, path ?? '', () => readProfile(path === undefined ? SECCOMP_PROFILES : [path])),
  })
  const boot = readBootKey(doors.paths) ?? (await beginBoot(doors, key => recordReboot(contextOf(key))))
  return operationsOf(contextOf(boot))
}

/** What the engine does, each in a line: a longer one belongs into the folder of its subject. */
function operationsOf(context: EngineContext): Engine {
  const engine: Engine = {
    play: async (bundle, options, progress, signal, watch) => {
      const report = await play(context, bundle, options, progress, signal, watch)
      if (options.start) await startLate(context, bundle.pods, report, progress, signal)
      // Once whoever waits for this has been told.
      if (report.resident) void context.clock.sleep(0).then(() => settleResolver(context))
      await tendNamed(context, bundle.jobs?.map(({ name }) => name) ?? [])
      return report
    },
    serviceEnd: (service, signal) => serviceEnd(context, service, signal),
    down: (request, options, signal, watch) => down(context, request, options, signal, watch),
    planApply: async (request, signal) => (await import('./apply/index.ts')).planApply(context, request, signal),
    apply: async (request, progress, signal) =>
      (await import('./apply/index.ts')).apply(context, request, progress, signal),
    settled: async inputs => (await import('./apply/index.ts')).settled(context, inputs),
    apps: async () => (await import('./apply/index.ts')).apps(context),
    removeApp: async (name, options, signal) =>
      (await import('./apply/index.ts')).removeApp(context, name, options, signal),
    gitops: async () => (await import('./gitops/index.ts')).openGitops(context, engine),
    pods: () => listPods(context),
    find: (nameOrId, kind) => find(context, nameOrId, kind),
    generated: nameOrId => generated(context, nameOrId),
    inspect: (nameOrId, kind) => inspect(context, nameOrId, kind),
    exec: (nameOrId, request, signal) => exec(context, nameOrId, request, signal),
    execDetached: (nameOrId, request) => execDetached(context, nameOrId, request),
    execOnTerminal: (name, request, terminal, signal) => execOnTerminal(context, name, request, terminal, signal),
    attach: (nameOrId, request, terminal, signal) => attach(context, nameOrId, request, terminal, signal),
    startAttached: (name, request, terminal, signal) => startAttached(context, name, request, terminal, signal),
    operateContainers: (ids, action, signal) =>
      tendWith(context, ids, () => operateContainers(context, ids, action, signal)),
    exportCheckpoint: (id, file) => exportCheckpoint(context, id, file),
    importCheckpoint: (file, signal) => importCheckpoint(context, file, signal),
    updateLimits: (id, limits, signal) => updateLimits(context, id, limits, signal),
    operatePods: (ids, action, signal) => tendWith(context, ids, () => operatePods(context, ids, action, signal)),
    rename: (podId, id, name, signal) => rename(context, podId, id, name, signal),
    waitFor: (ids, states, intervalMs, signal) => waitFor(context, ids, states, intervalMs, signal),
    awaitReady: (ids, timeoutMs, signal) => awaitReady(context, ids, timeoutMs, signal),
    check: async (wish, signal) => (await import('./fsck/index.ts')).check(context, wish, signal),
    startAfterReboot: () => startAfterReboot(context),
    events: (request, signal) => readEvents(context, request, signal),
    cleanup: containerId => cleanup(context, containerId),
    cleanupExec: containerId => cleanupExec(context, containerId),
    tick: over => tick(context, over),
    volumes: () => listVolumes(context),
    volume: name => findVolume(context, name),
    createVolume: (name, labels) => createVolume(context, name, labels),
    removeVolume: name => removeNamed(context, name),
    networks: async () => (await import('./networks.ts')).listNetworks(context),
    network: async name => (await import('./networks.ts')).findNetwork(context, name),
    createNetwork: async wish => (await import('./networks.ts')).createNetwork(context, wish),
    removeNetwork: async name => (await import('./networks.ts')).removeNetwork(context, name),
    secrets: () => listSecrets(context),
    removeSecrets: names => removeSecrets(context, names),
    storedSecrets: () => storedSecrets(context),
    images: async () => listImages(await context.storage()),
    image: name => context.findImage(name),
    removeImage: async (name, how) => (await import('./images.ts')).removeImage(context, name, how),
    pruneImages: async passes => (await import('./images.ts')).pruneImages(context, passes),
    pull: (name, options, progress, signal) => pull(context, name, options, progress, signal),
    ...openInside(context),
    close: async () => {
      await settleResolver(context)
      context.manager.close()
      context.proxies.close()
      return context.store.close()
    },
  }
  return engine
}

/** Takes the resolver of all networks out of the cgroup of the command that has started the first pod. */
async function settleResolver(context: EngineContext): Promise<void> {
  const pid = context.networks.strayResolver()
  if (pid !== undefined) await settleHelper(context, pid, 'resolver')
}

/** All pods; who looks at them misses a timekeeper that has been killed. */
async function listPods(context: EngineContext): Promise<ListedPod[]> {
  const all = await loadAll(context)
  await missTimekeeper(
    context,
    all.map(({ pod }) => pod),
  )
  await missProber(context)
  return all.map(({ view }) => view)
}

/** netavark's own checks are not safe against a second one: see network-door.ts. */
const NETWORK_LOCK_TIMEOUT_MS = 120_000

async function underNetworkLock({ paths, clock }: Doors, work: () => Promise<void>): Promise<void> {
  const request = { paths, clock, name: '@network', command: 'tspod', timeoutMs: NETWORK_LOCK_TIMEOUT_MS }
  await using _lock = await takeLock(request)
  await work()
}

/** Remembers what costs something for the length of one command. */
function cached<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const value = known.get(key) ?? make()
  known.set(key, value)
  return value
}

/** A door to pulls after which `changed` is called: what was found before is no longer what a name stands for. */
const telling = (door: PullDoor, changed: () => void): PullDoor => ({
  pull: (...request) => door.pull(...request).finally(changed),
})

async function readProfile(candidates: readonly string[]): Promise<unknown> {
  for (const path of candidates) {
    try {
      return JSON.parse(await readFile(path, 'utf8'))
    } catch (error) {
      if (!isMissing(error)) throw profileUnusable(path, error)
    }
  }
  throw profileUnusable(candidates.join(' or '), undefined)
}

/** Never unconfined by accident: a profile that is wanted and cannot be read refuses the start. */
const profileUnusable = (path: string, cause: unknown): TspodError =>
  new TspodError('SECURITY_REFUSED', `cannot read the seccomp profile ${path}`, {
    remedy: 'install it (apt install golang-github-containers-common), or name a profile that exists',
    cause,
  })
