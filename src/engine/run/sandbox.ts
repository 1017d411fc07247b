/** What all containers of a pod share: pinned namespaces, network, cgroup, volumes, and the files under /etc. */
import { readFileSync } from 'node:fs'
import { chown } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { writeAtomic } from '../../files.ts'
import {
  enterPod,
  existingMaps,
  hostsFile,
  type NamespaceKind,
  type NetavarkInput,
  type PodScope,
  pinNamespaces,
  resolvConf,
  type UserNamespace,
} from '../../oci/index.ts'
import { podRunDirectory } from '../../paths.ts'
import type { PodWork } from '../context.ts'
import type { UsernsSettings } from '../state/index.ts'
import { mountClaim, mountImage, ownerOf, type PreparedVolumes, prepareVolumes } from '../volumes/index.ts'
import { rootOf } from './roots.ts'
import { withRuntimeFiles } from './self.ts'

/** Volumes, and the managed files that every container of the pod gets. */
export type SandboxFiles = {
  volumes: PreparedVolumes
  /** Target in the container → file on the host. */
  managed: Map<string, string>
}

/** The host name inside the pod: the host's own with the host's network, as in Podman and Kubernetes. */
export function podHostname(work: PodWork): string {
  const { hostname: name, domain, setHostnameAsFQDN } = work.pod.spec
  if (work.pod.settings.network === 'host') return hostname()
  return setHostnameAsFQDN && domain !== undefined ? `${name}.${domain}` : name
}

/** Which namespaces the pod has of its own; with the host's network the host's UTS namespace comes along. */
export function ownNamespaces(work: Pick<PodWork, 'pod'>): NamespaceKind[] {
  const { spec, settings } = work.pod
  const kinds: NamespaceKind[] = settings.network === 'host' ? [] : ['net', 'uts']
  if (settings.userns !== undefined) kinds.unshift('user')
  if (!spec.hostIpc) kinds.push('ipc')
  return kinds
}

/** Pins the pod's namespaces. */
export function pinSandbox(work: PodWork): void {
  // The service container shares nothing with anybody: its runtime makes what namespaces it has.
  if (work.pod.kind === 'service') return
  const { network, userns } = work.pod.settings
  if (userns?.path !== undefined) requireSameIds(work.pod.name, userns)
  const origin = userns?.path === undefined ? userns : { path: userns.path }
  pinNamespaces(work.sandbox.namespaces, ownNamespaces(work), {
    isolated: network === 'none',
    userns: origin,
  })
}

/** What stands at a path may be another namespace than the one the root file systems were made for. */
function requireSameIds(pod: string, { path = '', uids, gids }: UsernsSettings): void {
  if (JSON.stringify(existingMaps(path)) === JSON.stringify({ uids, gids })) return
  throw new TspodError('WRONG_STATE', `pod ${pod}: the user namespace ${path} maps other ids than when it was played`, {
    remedy: 'play the pod again with --replace',
  })
}

/** Connects the pinned network namespace; nothing to do without one. */
export async function attachNetwork(work: PodWork): Promise<void> {
  const { sandbox, context } = work
  if (sandbox.network === undefined) return
  await context.networks.setup(join(sandbox.namespaces, 'net'), sandbox.network as NetavarkInput)
}

/** Prepares volumes and managed files; safe to repeat for a pod that has them already. */
export async function prepareSandboxFiles(work: PodWork): Promise<SandboxFiles> {
  const { paths, run } = work.context
  const [volumes, managed] = await Promise.all([
    withRuntimeFiles(work).then(spec =>
      prepareVolumes(
        spec,
        work.pod.id,
        paths,
        run,
        {
          mountImage: volume => mountImage(work, volume),
          ownerOf: name => ownerOf(work.context, name),
          mountClaim: name => mountClaim(work.context, name),
        },
        usernsOf(work),
      ),
    ),
    writeManagedFiles(work),
  ])
  return { volumes, managed }
}

/** The pod's pinned user namespace and what it maps; undefined for the host's. */
export function usernsOf({ pod, sandbox }: Pick<PodWork, 'pod' | 'sandbox'>): UserNamespace | undefined {
  const maps = pod.settings.userns
  return maps && { path: join(sandbox.namespaces, 'user'), maps: { uids: maps.uids, gids: maps.gids } }
}

async function writeManagedFiles(work: PodWork): Promise<Map<string, string>> {
  const { spec, settings } = work.pod
  const directory = podRunDirectory(work.context.paths, work.pod.id)
  const texts = new Map<string, string>()
  const name = podHostname(work)
  if (!settings.noHosts)
    texts.set(
      '/etc/hosts',
      await hostsFile(spec, { hostname: spec.hostname, addresses: work.sandbox.addresses, network: settings.network }),
    )
  if (!settings.noHostname) texts.set('/etc/hostname', `${name}\n`)
  texts.set(
    '/etc/resolv.conf',
    await resolvConf(spec.dns, { servers: work.sandbox.dnsServers, network: settings.network }),
  )
  const managed = new Map<string, string>()
  const owner = rootOf(work.pod)
  await Promise.all(
    [...texts].map(async ([target, text]) => {
      const file = join(directory, `etc-${target.slice('/etc/'.length)}`)
      // Running containers have the very file mounted: a new one of the same content would only be strange to them.
      if (readOptional(file) !== text) await writeAtomic(file, text, 0o644, { durable: false })
      if (owner !== undefined) await chown(file, owner.uid, owner.gid)
      managed.set(target, file)
    }),
  )
  return managed
}

/**
 * Moves a conmon into the pod's control cgroup while it waits. Under systemd the first one of a pod brings the pod's
 * scope to life: a scope has to start with a process.
 */
export async function enterPodCgroup(work: Pick<PodWork, 'context' | 'cgroup'>, conmonPid: number): Promise<void> {
  const { hierarchies, manager, clock } = work.context
  const startScope = (scope: PodScope, pid: number): Promise<'started' | 'exists'> =>
    manager.startScope({ ...scope, pids: [pid] })
  await enterPod(hierarchies, work.cgroup, conmonPid, startScope, clock)
}

function readOptional(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
