/** User namespaces of pods: which ids of the host they get, and the namespaces that belong to them. */
import { TspodError } from '../errors.ts'
import type { IdMaps, IdRange, UsernsSpec } from '../model.ts'
import { mapsOf, type Origin, pinOwned } from '../namespaces.ts'
import type { Pinned } from './network.ts'
import { readOptional } from './storage.ts'

/** What Podman's and Kubernetes' documentation have people write into /etc/subuid for it. */
const OWNER = 'containers'
/** Where nobody else gives out ids, without such a line: far above users of directories and below (uid_t) -1. */
const UNCLAIMED: IdRange = { inside: 0, outside: 2 ** 31, count: 2 ** 31 - 65_536 }
/** Ranges begin at multiples of it, counted from the first id there is: they can be told apart by eye. */
const STEP = 65_536

type Span = Pick<IdRange, 'outside' | 'count'>

/** Ids of the host from which pods get theirs: those that both files of subordinate ids give to `containers`. */
export function idPool(): Span[] {
  const [uids, gids] = ['/etc/subuid', '/etc/subgid'].map(file => parseSubordinate(readOptional(file) ?? ''))
  if (uids === undefined || gids === undefined || uids.length === 0) return [UNCLAIMED]
  return uids.flatMap(uid => gids.flatMap(gid => common(uid, gid)))
}

/** The lines of `containers`, `NAME:FIRST:COUNT` (see subuid(5)); others do not count. Pure. */
export function parseSubordinate(text: string): Span[] {
  return text.split('\n').flatMap(line => {
    const [, outside, count] = /^containers:(\d{1,10}):(\d{1,10})$/.exec(line.trim()) ?? []
    return outside === undefined ? [] : [{ outside: Number(outside), count: Number(count) }]
  })
}

function common(a: Span, b: Span): Span[] {
  const outside = Math.max(a.outside, b.outside)
  const count = Math.min(a.outside + a.count, b.outside + b.count) - outside
  return count > 0 ? [{ outside, count }] : []
}

/**
 * The mappings of a pod's new user namespace, on ids of the pool that nobody has yet. Pure.
 * @param taken what others have, whatever for.
 * @throws HOST_EXHAUSTED in Podman's words when there are none left.
 */
export function chooseIds(spec: UsernsSpec & { mode: 'auto' }, pool: readonly Span[], taken: readonly Span[]): IdMaps {
  const used = [...taken, ...spec.uids, ...spec.gids]
  for (const span of pool) {
    const end = span.outside + span.count
    let first = span.outside
    while (first + spec.count <= end) {
      const wanted = { outside: first, count: spec.count }
      const blocking = used.filter(other => common(other, wanted).length > 0)
      if (blocking.length === 0) return { uids: fill(spec, spec.uids, first), gids: fill(spec, spec.gids, first) }
      const free = Math.max(...blocking.map(other => other.outside + other.count))
      first = span.outside + Math.ceil((free - span.outside) / STEP) * STEP
    }
  }
  throw new TspodError('HOST_EXHAUSTED', 'could not find enough available IDs', {
    remedy: `take pods down, or give more ids to "${OWNER}" in /etc/subuid and /etc/subgid`,
  })
}

/** Each id inside that was not given one of the host gets the one as far from the first. */
function fill({ count }: { count: number }, given: readonly IdRange[], first: number): IdRange[] {
  const ranges = [...given]
  let inside = 0
  for (const next of [...given].sort((a, b) => a.inside - b.inside)) {
    const gap = Math.min(next.inside, count) - inside
    if (gap > 0) ranges.push({ inside, outside: first + inside, count: gap })
    inside = Math.max(inside, next.inside + next.count)
  }
  if (inside < count) ranges.push({ inside, outside: first + inside, count: count - inside })
  return ranges.sort((a, b) => a.inside - b.inside)
}

/**
 * The mappings of the user namespace at `path`, which has to have a root.
 * @throws USAGE in Podman's words when there is none.
 */
export function existingMaps(path: string): IdMaps {
  let maps: IdMaps
  try {
    maps = mapsOf(path)
  } catch (cause) {
    throw unusable(path, (cause as Error).message, cause)
  }
  if ([maps.uids, maps.gids].every(ranges => ranges.some(({ inside }) => inside === 0))) return maps
  throw unusable(path, 'it has no root')
}

const unusable = (path: string, why: string, cause?: unknown): TspodError =>
  new TspodError('USAGE', `cannot find specified user namespace path: ${path}: ${why}`, {
    remedy: 'name the file of a user namespace, such as /proc/PID/ns/user, of a process that runs',
    cause,
  })

/** Makes the namespaces of a pod for `pinNamespaces`. @throws NETWORK_FAILED. */
export function makeOwned(pinned: Pinned, origin: Origin): void {
  try {
    pinOwned(pinned, origin)
  } catch (cause) {
    throw new TspodError('NETWORK_FAILED', `cannot make a user namespace: ${(cause as Error).message}`, {
      remedy: 'see what user.max_user_namespaces is: sysctl user.max_user_namespaces',
      cause,
    })
  }
}
