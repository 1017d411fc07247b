/** Healing, each finding under the lock of the pod it is about, looking again at what it acts on. */
import { closeSync, openSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Id } from '../../model.ts'
import type { NamespaceKind, NetavarkInput } from '../../oci/index.ts'
import { mustSucceed } from '../../process.ts'
import type { EngineContext, PodWork } from '../context.ts'
import { lookAfter } from '../look-after.ts'
import { operateContainers } from '../operate/index.ts'
import { sandboxOf } from '../play/index.ts'
import { removeIdleServices, tearDown } from '../run/index.ts'
import { cutRow, type PodRecord, readPodById, takeLock, updateSandbox } from '../state/index.ts'
import { wakeTimekeeper } from '../timekeeper.ts'
import { loadWork, lockPod, look } from '../work.ts'
import { adoptPod, adoptVolume, takeOver } from './adopt.ts'
import type { Repair } from './facts.ts'
import { removeObject } from './remove.ts'

type Executors = { [K in Repair['do']]: (repair: Extract<Repair, { do: K }>) => Promise<void> }

const COMMAND = 'tspod system fsck --repair'

/** Heals one finding. Throws what kept it from being healed. */
export function repairFinding(context: EngineContext, repair: Repair, signal: AbortSignal): Promise<void> {
  return (executors(context, signal)[repair.do] as (repair: Repair) => Promise<void>)(repair)
}

function executors(context: EngineContext, signal: AbortSignal): Executors {
  const { store, clock } = context
  const goOn = async (pod: Id): Promise<void> => {
    if ((await lookAfter(context, pod, COMMAND)) !== undefined) await wakeTimekeeper(context)
  }
  return {
    cut: ({ table, rowid }) => store.write(tx => cutRow(tx, table, rowid)),
    'look after': ({ pod }) => goOn(pod),
    'tear down': ({ pod }) => finishRemoval(context, pod),
    rebuild: async ({ pod }) => {
      await withPodLock(context, pod, record => forgetSandbox(context, record))
      await goOn(pod)
    },
    'pin again': ({ pod, kinds }) =>
      withPodLock(context, pod, async record => pinAgain(await loadWork(context, record), kinds)),
    reconnect: ({ pod }) =>
      withPodLock(context, pod, async record => {
        const { sandbox, sandboxState } = await loadWork(context, record)
        if (sandbox.network === undefined || sandboxState !== 'up') return
        const net = join(sandbox.namespaces, 'net')
        const input = sandbox.network as NetavarkInput
        // Half of it may be gone, which is no reason not to make it anew.
        await context.networks
          .teardown(net, input)
          .catch(error => context.note(`before connecting ${record.name} anew: ${error.message}`))
        await context.networks.setup(net, input)
      }),
    restart: async ({ container }) => {
      const [outcome] = await operateContainers(context, [container], { do: 'restart' }, signal)
      if (outcome?.error !== undefined) throw outcome.error
    },
    mount: async ({ container }) => {
      await (await context.rootfs()).remount(container)
    },
    lease: ({ lease: { network, address, pod }, wanted }) =>
      store.write(tx =>
        wanted
          ? tx.run('INSERT INTO lease (network, address, pod) VALUES (?, ?, ?)', [network, address, pod])
          : tx.run('DELETE FROM lease WHERE network = ? AND address = ? AND pod = ?', [network, address, pod]),
      ),
    'end session': ({ session }) =>
      store.write(tx => tx.run('UPDATE exec_session SET finished_ms = ? WHERE id = ?', [clock.nowMs(), session])),
    wake: () => wakeTimekeeper(context),
    'remove services': async () => {
      const failures = await removeIdleServices(context)
      if (failures.length > 0) throw new Error(failures.join('; '))
    },
    'take over': ({ container }) => takeOver(context, container),
    adopt: ({ pod }) => adoptPod(context, pod),
    'adopt volume': ({ volume }) => adoptVolume(context, volume),
    remove: ({ object }) => removeObject(context, object),
    'remove lock': async ({ name }) => {
      const lock = await takeLock({ paths: context.paths, clock, name, command: COMMAND, timeoutMs: 0 })
      await lock.removeFile()
      await lock[Symbol.asyncDispose]()
    },
  }
}

async function withPodLock(context: EngineContext, id: Id, act: (pod: PodRecord) => Promise<void>): Promise<void> {
  const before = await readPodById(context.store, id)
  if (before === undefined) return
  const lock = await lockPod(context, before.name, COMMAND)
  try {
    const pod = await readPodById(context.store, id)
    if (pod === undefined) return await lock.removeFile()
    await act(pod)
  } finally {
    await lock[Symbol.asyncDispose]()
  }
}

async function finishRemoval(context: EngineContext, id: Id): Promise<void> {
  const before = await readPodById(context.store, id)
  if (before === undefined) return
  const lock = await lockPod(context, before.name, COMMAND)
  try {
    const pod = await readPodById(context.store, id)
    // A play may have finished, or begun anew, while this waited.
    if (pod === undefined || (pod.complete && pod.goal !== 'removed')) return
    const { failures } = await tearDown(await loadWork(context, pod), lock)
    if (failures.length > 0) throw new Error(failures.join('; '))
  } finally {
    await lock[Symbol.asyncDispose]()
  }
}

/** What stands of the sandbox is not known any more: the next look frees and makes it. A lost record is made up. */
async function forgetSandbox(context: EngineContext, pod: PodRecord): Promise<void> {
  const facts = await sandboxOf(context, pod)
  await context.store.write(async tx => {
    await tx.run("INSERT OR IGNORE INTO sandbox (pod, boot, facts, state) VALUES (?, ?, ?, 'changing')", [
      pod.id,
      context.boot,
      JSON.stringify(facts),
    ])
    await updateSandbox(tx, pod.id, context.boot, 'changing')
  })
}

/** Pins the namespaces that a running container of the pod is in. */
async function pinAgain(work: PodWork, kinds: readonly string[]): Promise<void> {
  for (const kind of kinds as readonly NamespaceKind[]) {
    const own = readlinkSync(`/proc/self/ns/${kind}`)
    const pid = work.containers
      .map(record => look(work, record))
      .flatMap(observed => (observed.at === 'running' ? [observed.pid] : []))
      .find(candidate => readlinkSync(`/proc/${candidate}/ns/${kind}`) !== own)
    if (pid === undefined) throw new Error(`no container of ${work.pod.name} is in its ${kind} namespace`)
    const file = join(work.sandbox.namespaces, kind)
    closeSync(openSync(file, 'a', 0o600))
    const argv = ['mount', '--bind', '--', `/proc/${pid}/ns/${kind}`, file] as const
    mustSucceed(await work.context.run({ argv }), `cannot pin the ${kind} namespace of ${work.pod.name}`)
  }
}
