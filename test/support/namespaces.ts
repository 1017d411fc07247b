/** Which namespaces the containers of a pod are in, seen from the host and from inside: the same in a cell and a machine. */
import { expect } from '@jest/globals'
import type { Place } from './place.ts'
import { containers, DEMO_IMAGE, succeeds, takeDownAll, WAIT_COMMAND } from './tspod.ts'

export type PodNamespaces = 'hostNetwork' | 'hostPID' | 'hostIPC' | 'shareProcessNamespace'

const KINDS = ['net', 'ipc', 'uts', 'pid', 'mnt', 'cgroup', 'user'] as const
type Kind = (typeof KINDS)[number]
type Seen = Record<Kind, string>

/** What a process of the container sees of itself: its namespaces, its cgroups, and whether it can make one. */
const LOOK = `
  for k in ${KINDS.join(' ')}; do echo "$k $(readlink /proc/self/ns/$k)"; done
  sed 's/^/cgroup-of /' /proc/self/cgroup
  for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir $d/made 2>/dev/null && echo "writable $d"; done; true`

/**
 * Plays a pod of an init container and two regular ones with the settings given, and checks all of them and an exec:
 * each namespace is the host's, the pod's or the container's own, as it must be, and cgroups are private and read-only.
 */
export async function checkNamespaces(
  place: Place,
  settings: readonly PodNamespaces[],
  runtime: string,
): Promise<void> {
  const spec = {
    ...Object.fromEntries(settings.map(name => [name, true])),
    terminationGracePeriodSeconds: 1,
    initContainers: [{ name: 'first', image: DEMO_IMAGE, command: ['sh', '-c', LOOK] }],
    containers: ['c1', 'c2'].map(name => ({
      name,
      image: DEMO_IMAGE,
      command: ['sh', '-c', `${LOOK}; ${WAIT_COMMAND}`],
    })),
  }
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'spaces' }, spec })
  await succeeds(place, ['--runtime', runtime, 'kube', 'play', '-'], { input })
  const looks: Record<string, string> = {}
  for (const { name } of await containers(place))
    if (!name.includes('infra')) looks[name] = await succeeds(place, ['logs', name])
  looks.exec = await succeeds(place, ['exec', 'spaces-c1', 'sh', '-c', LOOK])
  const host = namespacesIn((await place.sh(LOOK.split('\n')[1] ?? '')).stdout)
  checkCgroups(looks)
  const seen = Object.fromEntries(Object.entries(looks).map(([name, text]) => [name, namespacesIn(text)]))
  expect(sharing(seen, host)).toEqual(wanted(settings))
  await takeDownAll(place)
}

function namespacesIn(text: string): Seen {
  return Object.fromEntries(
    KINDS.map(kind => [kind, new RegExp(`^(?:.* )?${kind} (.*)$`, 'm').exec(text)?.[1]]),
  ) as Seen
}

function checkCgroups(looks: Record<string, string>): void {
  for (const [name, text] of Object.entries(looks)) {
    const paths = [...text.matchAll(/cgroup-of \d+:[^:]*:(.*)$/gm)].map(match => match[1])
    expect({ name, paths: [...new Set(paths)] }).toEqual({ name, paths: ['/'] })
    expect(text).not.toContain('writable')
  }
}

type Sharing = 'host' | 'pod' | 'container'

/**
 * `pod` when all containers are in the same one, `container` when no two are; an exec is where its container is. The
 * kernel may give a number of the init container to another one: it has ended.
 */
function sharing(seen: Record<string, Seen>, host: Seen): Record<Kind, Sharing | 'mixed'> {
  const { exec, ...others } = seen
  const judge = (kind: Kind): Sharing | 'mixed' => {
    const ids = Object.values(others).map(one => one[kind])
    const [first, second] = ['spaces-c1', 'spaces-c2'].map(name => others[name]?.[kind])
    if (exec?.[kind] !== first) return 'mixed'
    if (new Set(ids).size === 1) return first === host[kind] ? 'host' : 'pod'
    return first === second || ids.includes(host[kind]) ? 'mixed' : 'container'
  }
  return Object.fromEntries(KINDS.map(kind => [kind, judge(kind)])) as Record<Kind, Sharing | 'mixed'>
}

function wanted(settings: readonly PodNamespaces[]): Record<Kind, Sharing> {
  const own = (setting: PodNamespaces): Sharing => (settings.includes(setting) ? 'host' : 'pod')
  const shared = settings.includes('shareProcessNamespace') ? 'pod' : 'container'
  return {
    net: own('hostNetwork'),
    uts: own('hostNetwork'),
    ipc: own('hostIPC'),
    pid: settings.includes('hostPID') ? 'host' : shared,
    mnt: 'container',
    cgroup: 'container',
    user: 'host',
  }
}
