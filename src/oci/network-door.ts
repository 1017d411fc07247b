/**
 * The order in which netavark works on many pods.
 *
 * netavark with iptables checks for a chain and then makes it, without a lock: two first pods of a network fail with
 * "Chain already exists", and two last ones leave rules behind (both seen with netavark 1.4). Two that leave at once
 * may also leave aardvark-dns running but forgotten: it keeps its port, and no pod can join the network any more (seen
 * with netavark 1.14, in five of eight removals of 30 pods). So the first pod of a network goes alone, all others
 * run together, and those that leave go one by one. Between processes the engine's network lock keeps the order.
 */
import type { Paths } from '../paths.ts'
import type { Run } from '../process.ts'
import { sideBySide } from '../side-by-side.ts'
import { type NetworkStatus, setupNetwork, teardownNetwork } from './network.ts'
import type { NetavarkInput } from './network-input.ts'
import { strayResolver } from './resolver.ts'

/** Runs `work` while no other process of this installation changes its networks. */
export type Exclusive = (work: () => Promise<void>) => Promise<void>

export type NetworkDoor = {
  /** See `setupNetwork`. */
  setup(netnsPath: string, input: NetavarkInput): Promise<NetworkStatus>
  /** See `teardownNetwork`. */
  teardown(netnsPath: string, input: NetavarkInput): Promise<void>
  /** The resolver that a setup of this process has started, as long as it is in this process's cgroup. */
  strayResolver(): number | undefined
}

/** netavark waits for the kernel half of its time: some more than there are processors keep them busy. */
const MAX_AT_ONCE = 4

type Job = { keys: string[]; act: () => Promise<void>; fail: (error: unknown) => void }

/** The door to netavark for one process; calls made while others are under way are gathered into rounds. */
export function networkDoor(run: Run, paths: Paths, exclusive: Exclusive): NetworkDoor {
  let setups: Job[] = []
  let teardowns: Job[] = []
  let busy = false
  let hasSetUp = false
  /** Networks whose chains exist, because a pod of ours is on them; what other processes remove is never the last. */
  const complete = new Set<string>()

  async function serve(): Promise<void> {
    while (setups.length + teardowns.length > 0) {
      const round = { setups, teardowns }
      setups = []
      teardowns = []
      await exclusive(async () => {
        await setUp(round.setups)
        await tearDown(round.teardowns)
      }).catch((error: unknown) => {
        for (const job of [...round.setups, ...round.teardowns]) job.fail(error)
      })
    }
    busy = false
  }

  async function setUp(jobs: readonly Job[]): Promise<void> {
    const followers: Job[] = []
    // Pods with ports first: they make the chains that pods without ports do not.
    for (const job of jobs.toSorted((a, b) => b.keys.length - a.keys.length)) {
      if (job.keys.every(key => complete.has(key))) followers.push(job)
      else await job.act()
    }
    await sideBySide(followers, MAX_AT_ONCE, job => job.act())
  }

  async function tearDown(jobs: readonly Job[]): Promise<void> {
    if (jobs.length === 0) return
    complete.clear()
    for (const job of jobs) await job.act()
  }

  function enqueue<T>(list: () => Job[], keys: string[], work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      list().push({ keys, fail: reject, act: () => work().then(resolve, reject) })
      if (busy) return
      busy = true
      queueMicrotask(() => void serve())
    })
  }

  return {
    setup: (netnsPath, input) => {
      const keys = chainsOf(input)
      return enqueue(
        () => setups,
        keys,
        async () => {
          const status = await setupNetwork(run, paths, netnsPath, input)
          hasSetUp = true
          for (const key of keys) complete.add(key)
          return status
        },
      )
    },
    teardown: (netnsPath, input) =>
      enqueue(
        () => teardowns,
        [],
        () => teardownNetwork(run, paths, netnsPath, input),
      ),
    strayResolver: () => (hasSetUp ? strayResolver(paths) : undefined),
  }
}

/** What has to exist once per network: its own chains, and those for forwarded ports. */
function chainsOf(input: NetavarkInput): string[] {
  const ids = Object.values(input.network_info).map(network => network.id)
  return input.port_mappings.length === 0 ? ids : ids.flatMap(id => [id, `${id} ports`])
}
