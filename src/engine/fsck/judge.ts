/** From facts to findings, pure: what is not as the records say, and what would heal it. */
import type { ContainerFacts, Facts, Finding, PodFacts } from './facts.ts'
import { judgeCopies, judgeLocks, judgeObjects, judgeVolumes } from './judge-host.ts'

/** All findings, in the order in which they are to be repaired. */
export function judge(facts: Facts): Finding[] {
  return [
    ...judgeDatabase(facts),
    ...facts.pods.filter(pod => !pod.busy).flatMap(pod => judgePod(pod)),
    ...judgeLeases(facts),
    ...judgeSessions(facts),
    ...judgeCopies(facts),
    ...judgeVolumes(facts),
    ...judgeObjects(facts),
    ...judgeServices(facts),
    ...judgeClock(facts),
    ...judgeLocks(facts),
  ]
}

function judgeDatabase({ damage, dangling }: Facts): Finding[] {
  return [
    ...damage.map(
      (problem): Finding => ({
        invariant: 'I1',
        object: 'database',
        problem,
        remedy: 'is not repaired: what runs goes on running; keep a copy, and restore the file from a backup',
      }),
    ),
    ...dangling.map(
      ({ table, rowid, parent }): Finding => ({
        invariant: 'I1',
        object: `${table} row ${rowid}`,
        problem: `it names a ${parent} that is not there`,
        remedy: table === 'pod' ? 'forgets the service that is gone' : 'forgets the row; what it told of is removed',
        repair: { do: 'cut', table, rowid },
      }),
    ),
  ]
}

function judgePod(pod: PodFacts): Finding[] {
  const { id } = pod
  const find = (problem: string, remedy: string, repair: Finding['repair']): Finding => ({
    invariant: 'I2',
    object: `${pod.kind} ${pod.name}`,
    problem,
    remedy,
    ...(repair !== undefined && { repair }),
  })
  if (pod.sandbox === undefined) {
    return [find('its record has no sandbox', 'makes its namespaces and network anew', { do: 'rebuild', pod: id })]
  }
  if (!pod.complete) return [find('its play was interrupted', 'removes it', { do: 'tear down', pod: id })]
  if (pod.goal === 'removed')
    return [find('its removal was interrupted', 'finishes the removal', { do: 'tear down', pod: id })]
  if (pod.sandbox === 'changing') {
    const problem = 'somebody who was making or freeing its namespaces and network was interrupted'
    return [find(problem, 'brings the pod to its goal', { do: 'look after', pod: id })]
  }
  // Whatever the older record says of the rest: first what runs is recorded.
  const unknown = pod.containers.filter(({ unknownRun }) => unknownRun)
  if (unknown.length > 0) return unknown.flatMap(container => judgeContainer(pod, container))
  const ground = pod.sandbox === 'up' ? judgeGround(pod, find) : judgeRest(pod, find)
  const containers = pod.containers.flatMap(container => judgeContainer(pod, container))
  // Whoever builds the pod's ground anew has its containers started anew as well.
  return ground.some(({ repair }) => repair?.do === 'rebuild') ? ground : [...ground, ...containers]
}

type Find = (problem: string, remedy: string, repair: Finding['repair']) => Finding

/** Namespaces and network of a pod that is up. */
function judgeGround(pod: PodFacts, find: Find): Finding[] {
  const unpinned = pod.namespaces.filter(({ pinned }) => !pinned).map(({ kind }) => kind)
  if (unpinned.length > 0) {
    const problem = `its ${unpinned.join(', ')} namespace${unpinned.length > 1 ? 's are' : ' is'} not pinned any more`
    const living = pod.containers.some(({ observed }) => observed.at === 'running' || observed.at === 'unmonitored')
    return living
      ? [find(problem, 'pins what its containers are in', { do: 'pin again', pod: pod.id, kinds: unpinned })]
      : [find(problem, 'makes its namespaces and network anew', { do: 'rebuild', pod: pod.id })]
  }
  if (pod.network === undefined) return []
  const lacks = [
    ...(pod.network.bridge ? [] : ['the bridge of its network is gone']),
    ...(pod.network.interfaces ? [] : ['its network interface is gone']),
    ...(pod.network.names ? [] : ['its name cannot be resolved']),
    ...(pod.network.ports ? [] : ['its published ports are not forwarded']),
  ]
  if (lacks.length === 0) return []
  return [find(lacks.join('; '), 'connects it anew; its containers go on', { do: 'reconnect', pod: pod.id })]
}

/** A pod at rest has no namespaces. */
function judgeRest(pod: PodFacts, find: Find): Finding[] {
  if (!pod.namespaces.some(({ pinned }) => pinned)) return []
  return [find('it is at rest, and has namespaces', 'frees them', { do: 'rebuild', pod: pod.id })]
}

function judgeContainer(pod: PodFacts, container: ContainerFacts): Finding[] {
  const { observed, state, parts } = container
  const find = (problem: string, remedy: string, repair: Finding['repair']): Finding => ({
    invariant: 'I2',
    object: `container ${container.name}`,
    problem,
    remedy,
    ...(repair !== undefined && { repair }),
  })
  const lookAfter = { do: 'look after', pod: pod.id } as const
  const byPolicy = "records it and goes on by the pod's restartPolicy"
  if (container.unknownRun) {
    const remedy = 'records what runs, which goes on'
    return [find('its record is older than what runs', remedy, { do: 'take over', container: container.id })]
  }
  if (observed.at === 'unmonitored') return [find('its monitor (conmon) is gone', `stops it, ${byPolicy}`, lookAfter)]
  if (state === 'exited' || state === 'stopped') return []
  if (observed.at === 'lost') return [find('its process is gone and nobody recorded its end', byPolicy, lookAfter)]
  if (observed.at === 'exited') {
    return [find(`it ended with code ${observed.code} and nobody dealt with it`, byPolicy, lookAfter)]
  }
  if (observed.at !== 'running') return []
  const lacks = [
    ...(parts.runtime ? [] : ['its runtime does not know it']),
    ...(parts.directory ? [] : ['its run directory is gone']),
    ...(parts.cgroup ? [] : ['its cgroup is gone']),
    ...(parts.layer === 'absent' ? ['its root file system is not in the image store any more'] : []),
  ]
  if (lacks.length > 0) return [find(lacks.join('; '), 'restarts it', { do: 'restart', container: container.id })]
  if (parts.layer !== 'unmounted') return []
  return [find('its root file system is not mounted', 'mounts it', { do: 'mount', container: container.id })]
}

function judgeLeases({ pods, leases }: Facts): Finding[] {
  const same = (a: { network: string; address: string }, b: { network: string; address: string }): boolean =>
    a.network === b.network && a.address === b.address
  const missing = pods.flatMap(pod =>
    pod.attachments
      .filter(one => !leases.some(lease => lease.pod === pod.id && same(lease, one)))
      .map((one): Finding => {
        const lease = { ...one, pod: pod.id }
        const taken = leases.some(other => same(other, one))
        return {
          invariant: 'I2',
          object: `pod ${pod.name}`,
          problem: `its address ${one.address} is not leased to it`,
          remedy: taken ? 'is not repaired: another pod has it; play the pod again with --replace' : 'leases it',
          ...(!taken && { repair: { do: 'lease', lease, wanted: true } as const }),
        }
      }),
  )
  const idle = leases
    .filter(lease => !pods.some(pod => pod.id === lease.pod && pod.attachments.some(one => same(one, lease))))
    // One of a pod that is gone dangles, which is told already.
    .filter(lease => pods.some(pod => pod.id === lease.pod))
    .map(
      (lease): Finding => ({
        invariant: 'I2',
        object: `address ${lease.address}`,
        problem: 'it is leased to a pod that does not use it',
        remedy: 'frees it',
        repair: { do: 'lease', lease, wanted: false },
      }),
    )
  return [...missing, ...idle]
}

function judgeSessions({ sessions }: Facts): Finding[] {
  return sessions
    .filter(({ alive }) => !alive)
    .map(({ id }) => ({
      invariant: 'I2',
      object: `exec session ${id.slice(0, 12)}`,
      problem: 'its process is gone and nobody recorded its end',
      remedy: 'records it, with an unknown exit code',
      repair: { do: 'end session', session: id },
    }))
}

function judgeServices({ pods }: Facts): Finding[] {
  return pods
    .filter(({ kind, id, busy }) => kind === 'service' && !busy && !pods.some(pod => pod.service === id))
    .map(({ name }) => ({
      invariant: 'I2',
      object: `service ${name}`,
      problem: 'it stands for no pod',
      remedy: 'removes it',
      repair: { do: 'remove services' },
    }))
}

function judgeClock({ pods, timekeeper }: Facts): Finding[] {
  const waiting = pods.filter(({ wakes, goal, complete }) => wakes && goal === 'running' && complete)
  if (timekeeper || waiting.length === 0) return []
  return [
    {
      invariant: 'I2',
      object: `pod ${waiting.map(({ name }) => name).join(', ')}`,
      problem: 'it waits for a time, and no timekeeper is there',
      remedy: 'starts one',
      repair: { do: 'wake' },
    },
  ]
}
