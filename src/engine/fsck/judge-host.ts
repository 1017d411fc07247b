/** Findings about what is on the host without a record, and about locks. Pure. */
import type { Id } from '../../model.ts'
import { POD_DIGITS } from '../volumes/index.ts'
import type { CopyFacts, Facts, Finding, HostObject } from './facts.ts'

/** What has to end before what: processes, then what they use. */
const ORDER: readonly HostObject['is'][] = [
  'runtime state',
  'monitor',
  'bound root',
  'root file system',
  'run directory',
  'exit file',
  'notify directory',
  'network',
  'cgroup',
  'namespaces',
  'pod directory',
  'log directory',
  'copy of records',
]

const OF_CONTAINER: ReadonlySet<HostObject['is']> = new Set([
  'runtime state',
  'monitor',
  'root file system',
  'run directory',
  'exit file',
  'notify directory',
])

/**
 * Pods that only their copies tell of; services first, since their pods name them. One whose name another has by now,
 * and of which nothing runs any more, is nobody's.
 */
function unknown({ copies, pods, objects }: Facts): CopyFacts[] {
  const lives = ({ containers }: CopyFacts): boolean =>
    objects.some(({ is, id }) => (is === 'runtime state' || is === 'monitor') && containers.includes(id as Id))
  return copies
    .filter(copy => !pods.some(({ id, name }) => id === copy.id || (name === copy.name && !lives(copy))))
    .toSorted((a, b) => Number(a.kind === 'pod') - Number(b.kind === 'pod'))
}

/** What a database that is older than its pods, or new, does not know. */
export function judgeCopies(facts: Facts): Finding[] {
  return unknown(facts).map(({ id, name, kind }) => {
    const rival = facts.pods.some(pod => pod.name === name)
    return {
      invariant: 'I3',
      object: `${kind} ${name}`,
      problem: 'it was played, and the database does not tell of it',
      // Nothing that runs is ended because somebody else has its name now.
      ...(rival
        ? { remedy: 'is left alone: another one has its name; take that one down, and repair again' }
        : {
            remedy: 'takes it into the database again; what runs goes on, and nothing is started',
            repair: { do: 'adopt', pod: id },
          }),
    }
  })
}

/** Volumes outlive their pods, and a database as well. */
export function judgeVolumes({ volumes: { directories, rows } }: Facts): Finding[] {
  return directories
    .filter(name => !rows.includes(name))
    .map(name => ({
      invariant: 'I3',
      object: `volume ${name}`,
      problem: 'nothing in the database tells of it',
      remedy: 'takes it into the database again, with what is in it',
      repair: { do: 'adopt volume', volume: name },
    }))
}

/** Things with our mark that no record tells of. */
export function judgeObjects(facts: Facts): Finding[] {
  const { objects, pods, history } = facts
  const podIds = pods.map(({ id }) => id as string)
  const containers = pods.flatMap(pod => pod.containers.map(({ id }) => id as string))
  const isKnown = ({ is, id }: HostObject): boolean => {
    // A root file system that is a volume has an id that begins as its pod's.
    if (is === 'root file system' && podIds.some(pod => id.startsWith(pod.slice(0, POD_DIGITS)))) return true
    if (OF_CONTAINER.has(is)) return containers.some(container => container.startsWith(id))
    return podIds.some(pod => (is === 'cgroup' ? pod.startsWith(id) : pod === id))
  }
  const coming = unknown(facts)
  const isExplained = ({ is, id }: HostObject): boolean =>
    coming.some(copy =>
      OF_CONTAINER.has(is)
        ? copy.containers.some(container => container.startsWith(id))
        : copy.id === id || (is === 'cgroup' && copy.id.startsWith(id)),
    )
  const orphans = objects.filter(object => !isKnown(object) && !isExplained(object))
  // A cgroup carries no mark of an installation: it is ours when its pod's id is known to have been ours.
  const wereOurs = [...history, ...orphans.filter(({ is }) => is !== 'cgroup').map(({ id }) => id as string)]
  return orphans
    .toSorted((a, b) => ORDER.indexOf(a.is) - ORDER.indexOf(b.is))
    .map(object => {
      const finding = {
        invariant: 'I3' as const,
        object: nameOf(object),
        problem: 'nothing in the database tells of it',
      }
      if (object.is === 'cgroup' && !wereOurs.some(id => id.startsWith(object.id))) {
        return { ...finding, remedy: 'is left alone: it may be of another installation' }
      }
      return { ...finding, remedy: REMEDY[object.is], repair: { do: 'remove', object } }
    })
}

const REMEDY: { [K in HostObject['is']]: string } = {
  'runtime state': 'ends the container and removes it',
  monitor: 'ends it',
  'bound root': 'unmounts and removes it',
  'root file system': 'removes it',
  'run directory': 'removes it',
  'exit file': 'removes it',
  'notify directory': 'removes it',
  network: "removes the pod's firewall rules and names",
  cgroup: 'ends what is in it and removes it',
  namespaces: 'unpins and removes them',
  'pod directory': 'removes it',
  'log directory': 'removes it',
  'copy of records': 'removes it',
}

function nameOf(object: HostObject): string {
  const id = object.id.slice(0, 12)
  switch (object.is) {
    case 'runtime state':
      return `container ${id} of ${object.runtime}`
    case 'monitor':
      return `monitor ${id} (process ${object.pid})`
    case 'root file system':
      return `root file system ${id}`
    case 'network':
      return `address ${object.address} of ${id} in network ${object.network}`
    default:
      return `${object.is} ${object.path}`
  }
}

/** Names of locks that belong to no pod: of the network, of a boot, of a pull. */
const OTHER_LOCK = /^(@|image-)/

/** Locks that stand for nothing, and holders that will not let go. */
export function judgeLocks({ locks, pods, copies }: Facts): Finding[] {
  const names = new Set([...pods, ...copies].map(({ name }) => name))
  return locks.flatMap(({ name, heldBy, sideFileOnly }): Finding[] => {
    const find = (problem: string, remedy: string): Finding => ({
      invariant: 'I8',
      object: `lock ${name}`,
      problem,
      remedy,
    })
    if (heldBy?.stopped) {
      const who = `process ${heldBy.pid}${heldBy.command === '' ? '' : ` (${heldBy.command})`}`
      return [find(`${who} has it and is stopped`, `is left alone: let it go on (kill -CONT ${heldBy.pid}) or end it`)]
    }
    if (heldBy !== undefined || OTHER_LOCK.test(name) || (names.has(name) && !sideFileOnly)) return []
    return [{ ...find('it stands for no pod', 'removes it'), repair: { do: 'remove lock', name } }]
  })
}
