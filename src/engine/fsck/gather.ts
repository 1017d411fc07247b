/** Looking: records, kernel, runtimes, storage and network become facts. Takes no lock and changes nothing. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isTspodError } from '../../errors.ts'
import type { Id } from '../../model.ts'
import { cgroupExists, containerCgroup, isKnown, isPinned } from '../../oci/index.ts'
import { containerRunDirectory, limitsFile, volumeDirectory } from '../../paths.ts'
import type { EngineContext } from '../context.ts'
import { sessionOf } from '../exec/index.ts'
import type { SandboxState } from '../plan/index.ts'
import { observe, ownNamespaces } from '../run/index.ts'
import {
  type ContainerRecord,
  type PodRecord,
  readContainers,
  readCopies,
  readPods,
  type SandboxFacts,
} from '../state/index.ts'
import { timekeeperPid } from '../timekeeper.ts'
import { cgroupOf } from '../unit.ts'
import { readMountPoints } from '../volumes/index.ts'
import { findRun } from './adopt.ts'
import type { ContainerFacts, Facts, PodFacts } from './facts.ts'
import { lookAtNetwork, type NetworkFacts, networkOf } from './gather-network.ts'
import { lookAtLocks, lookAtObjects, namesIn } from './gather-objects.ts'

/** Everything that fsck judges. Things are listed before the records are read: what is made meanwhile has a record. */
export async function gather(context: EngineContext): Promise<Facts> {
  const { store } = context
  const [damage, dangling] = await lookAtDatabase(context)
  const locks = lookAtLocks(context.paths)
  const network = await lookAtNetwork(context)
  const objects = [
    ...(await lookAtObjects(context)),
    ...network.records.map(one => ({ is: 'network' as const, ...one })),
  ]
  const [pods, containers, sandboxes, leases, sessions, history, volumes] = await Promise.all([
    readPods(store),
    readContainers(store),
    store.all('SELECT * FROM sandbox'),
    store.all('SELECT * FROM lease'),
    store.all('SELECT * FROM exec_session WHERE finished_ms IS NULL'),
    store.all('SELECT DISTINCT pod FROM event WHERE pod IS NOT NULL'),
    store.all('SELECT name FROM volume'),
  ])
  const seen = await seeLayers(context)
  const facts: PodFacts[] = []
  for (const pod of pods) {
    const row = sandboxes.find(one => one.pod === pod.id)
    const sandbox = row && {
      state: (row.boot === context.boot ? row.state : 'down') as SandboxState,
      facts: JSON.parse(String(row.facts)) as SandboxFacts,
    }
    const own = containers.filter(container => container.pod === pod.id)
    const busy = locks.some(lock => lock.name === pod.name && lock.heldBy !== undefined)
    facts.push(await lookAtPod(context, { pod, own, sandbox, busy, network, seen }))
  }
  return {
    damage,
    dangling,
    pods: facts,
    leases: leases.map(row => ({
      network: String(row.network),
      address: String(row.address),
      pod: String(row.pod) as Id,
    })),
    // An end that its monitor has written down is recorded when somebody asks for it.
    sessions: sessions
      .map(row => sessionOf(context, row))
      .map(({ id, running, finishedMs }) => ({ id, alive: running || finishedMs !== undefined })),
    objects,
    copies: readCopies(context.paths).map(({ pod: { id, name, kind }, containers: own }) => ({
      id,
      name,
      kind,
      containers: own.map(container => container.id),
    })),
    volumes: { directories: namesIn(volumeDirectory(context.paths, '')), rows: volumes.map(row => String(row.name)) },
    locks,
    timekeeper: timekeeperPid(context) !== undefined,
    history: new Set(history.map(row => String(row.pod))),
  }
}

const MAX_COMPLAINTS = 20

async function lookAtDatabase({ store }: EngineContext): Promise<[string[], Facts['dangling']]> {
  try {
    const said = await store.all(`PRAGMA integrity_check(${MAX_COMPLAINTS})`)
    const dangling = await store.all('PRAGMA foreign_key_check')
    return [
      said.map(row => String(row.integrity_check)).filter(text => text !== 'ok'),
      dangling.map(row => ({ table: String(row.table), rowid: Number(row.rowid), parent: String(row.parent) })),
    ]
  } catch (error) {
    if (!isTspodError(error, 'STORE_CORRUPT')) throw error
    return [[error.message], []]
  }
}

type Layers = { known: ReadonlySet<string>; mounted: ReadonlySet<string> }

/** Root file systems in the store, and those that are really mounted, whatever the store says. */
async function seeLayers(context: EngineContext): Promise<Layers> {
  const rootfs = await context.rootfs()
  const [known, mounted] = await Promise.all([rootfs.list(), rootfs.mounted()])
  const points = new Set(readMountPoints().map(({ path }) => path))
  const really = [...mounted].filter(([, { path }]) => points.has(path)).map(([id]) => id)
  return { known: new Set(known), mounted: new Set(really) }
}

type Look = {
  pod: PodRecord
  own: readonly ContainerRecord[]
  sandbox: { state: SandboxState; facts: SandboxFacts } | undefined
  busy: boolean
  network: NetworkFacts
  seen: Layers
}

async function lookAtPod(context: EngineContext, look: Look): Promise<PodFacts> {
  const { pod, own, sandbox, busy } = look
  const kinds = pod.kind === 'pod' && sandbox !== undefined ? ownNamespaces({ pod }) : []
  const namespaces = kinds.map(kind => ({ kind, pinned: isPinned(join(sandbox?.facts.namespaces ?? '', kind)) }))
  const network =
    sandbox?.state === 'up' && !busy ? await networkOf(context, pod, sandbox.facts, look.network) : undefined
  return {
    id: pod.id,
    name: pod.name,
    kind: pod.kind,
    ...(pod.service !== undefined && { service: pod.service }),
    goal: pod.goal,
    complete: pod.complete,
    busy,
    sandbox: sandbox?.state,
    wakes: pod.wakeMs !== undefined || existsSync(limitsFile(context.paths, pod.id)),
    namespaces,
    ...(network !== undefined && { network }),
    attachments: pod.settings.attachments.map(({ network: name, address }) => ({ network: name, address })),
    containers: own.map(record => lookAtContainer(context, look, record)),
  }
}

function lookAtContainer(
  context: EngineContext,
  { pod, sandbox, seen }: Look,
  record: ContainerRecord,
): ContainerFacts {
  const { paths, boot, hierarchies } = context
  const runtime = sandbox?.facts.runtime
  const cgroup = containerCgroup(cgroupOf(context, pod), record.shortName)
  const observed = observe({ paths, boot, runtime: runtime?.name }, record)
  const hasLayer = record.kind !== 'infra' && record.kind !== 'service'
  const layer = seen.mounted.has(record.id) ? 'mounted' : seen.known.has(record.id) ? 'unmounted' : 'absent'
  return {
    id: record.id,
    name: record.name,
    kind: record.kind,
    goal: record.goal,
    state: record.state,
    observed,
    unknownRun: !IS_UP.includes(observed.at) && findRun(context, pod, record) !== undefined,
    parts: {
      runtime: runtime !== undefined && isKnown(runtime, record.id),
      directory: existsSync(join(containerRunDirectory(paths, record.id), 'config.json')),
      cgroup: cgroupExists(hierarchies, cgroup),
      layer: hasLayer ? layer : 'none',
    },
  }
}

const IS_UP: readonly string[] = ['running', 'created', 'unmonitored']
