/** The configuration of a container: everything the sandbox decides, in one object. */
import { posix } from 'node:path'
import { TspodError } from '../../errors.ts'
import type { IdRange } from '../../model.ts'
import { capabilitySets, chooseCapabilities } from './capabilities.ts'
import { confine, refuseAppArmor } from './lsm.ts'
import { buildMounts, hiddenPaths, rootfsPropagation } from './mounts.ts'
import { buildResources, buildRlimits, oomScoreAdj } from './resources.ts'
import { convertSeccomp } from './seccomp.ts'
import { buildSysctls } from './sysctl.ts'
import type {
  HostFacts,
  Identity,
  OciConfig,
  OciIdMapping,
  OciLinux,
  OciProcess,
  OciSeccomp,
  OciUser,
  SpecInput,
} from './types.ts'

/** What both runc 1.1 and crun 1.8 read in full. */
export const OCI_VERSION = '1.0.2'
const UMASK = 0o022

/**
 * Builds the OCI runtime configuration of one container, and a notice for everything this host made us lower.
 * Pure: nothing of the host is looked at. Labels of the image and annotations of the pod never reach it, because
 * runtimes act on annotations (CVE-2024-3154).
 *
 * Throws HOST_LACKS for a limit or capability the manifest asks for and the host cannot give, SECURITY_REFUSED for
 * what would break the sandbox, IMAGE_BAD_CONFIG when there is nothing to run.
 */
export function buildSpec(input: SpecInput, host: HostFacts): { config: OciConfig; notices: string[] } {
  const notices: string[] = []
  refuseAppArmor([input.container], host)
  const capabilities = chooseCapabilities(input.container.security, host, notices)
  const seccomp = chooseSeccomp(input, capabilities, host, notices)
  const propagation = rootfsPropagation(input.mounts)
  const ownUts = input.namespaces.uts !== undefined
  const config: OciConfig = {
    ociVersion: OCI_VERSION,
    process: buildProcess(input, capabilities, host, notices),
    root: { path: input.rootfs, readonly: input.container.security.readOnlyRootFilesystem },
    ...(ownUts && input.hostname !== undefined && { hostname: input.hostname }),
    mounts: buildMounts(input, host),
    annotations: ownAnnotations(input.ids),
    linux: {
      ...buildNamespaces(input.namespaces),
      cgroupsPath: input.cgroupPath,
      resources: buildResources(input, host, notices),
      devices: hostDevices(input),
      sysctl: buildSysctls(input, host),
      ...hiddenPaths(input, host),
      ...(propagation !== undefined && { rootfsPropagation: propagation }),
      ...(seccomp !== undefined && { seccomp }),
    },
  }
  confine(config, input, host)
  return { config, notices }
}

function buildProcess(input: SpecInput, capabilities: string[], host: HostFacts, notices: string[]): OciProcess {
  const { container, image, identity } = input
  if (input.args.length === 0) throw nothingToRun(container.image)
  return {
    terminal: container.tty,
    user: ociUser(identity),
    args: input.args,
    env: envList(input.env, identity.home),
    cwd: safeDirectory(container.workingDir || image.workingDir || '/'),
    capabilities: capabilitySets(capabilities),
    rlimits: buildRlimits(host, notices, container.rlimits),
    noNewPrivileges: !container.security.allowPrivilegeEscalation,
    oomScoreAdj: oomScoreAdj(input.pod, container, host, notices),
  }
}

/** The `user` of an OCI process. */
export function ociUser(identity: Identity): OciUser {
  return { uid: identity.uid, gid: identity.gid, umask: UMASK, additionalGids: identity.groups }
}

/** `KEY=value` lines. HOME is always there: without it runtimes look into the image's /etc/passwd by themselves. */
export function envList(env: Record<string, string>, home: string): string[] {
  return Object.entries({ HOME: home, ...env }).map(([name, value]) => `${name}=${value}`)
}

/**
 * An absolute, clean directory. Throws SECURITY_REFUSED for one of /proc: a working directory there can be a
 * descriptor of the runtime that leads out to the host (CVE-2024-21626).
 */
export function safeDirectory(path: string): string {
  const clean = posix.resolve('/', path)
  if (!/^\/proc\//.test(clean) && !path.includes('\0')) return clean
  throw new TspodError('SECURITY_REFUSED', `"${path}" cannot be a working directory`, {
    remedy: 'use a directory of the image; what is below /proc may lead out of the container',
  })
}

/** Marks of our own, by which what is left of a container can be told apart without any record. */
export function ownAnnotations(ids: SpecInput['ids']): Record<string, string> {
  return { 'io.tspod.container': ids.container, 'io.tspod.pod': ids.pod }
}

/** Mount and cgroup namespaces are always private; one that is not listed is the host's, `private` a fresh one. */
export function buildNamespaces(
  namespaces: SpecInput['namespaces'],
): Pick<OciLinux, 'namespaces' | 'uidMappings' | 'gidMappings'> {
  const joined = (type: string, path: string | undefined): { type: string; path?: string }[] => {
    if (path === undefined) return []
    return path === 'private' ? [{ type }] : [{ type, path }]
  }
  const { net, ipc, uts, pid = 'private', user } = namespaces
  return {
    namespaces: [
      ...joined('user', user?.path),
      { type: 'mount' },
      { type: 'cgroup' },
      ...joined('pid', pid === 'host' ? undefined : pid),
      ...joined('network', net),
      ...joined('ipc', ipc),
      ...joined('uts', uts),
    ],
    ...(user !== undefined && { uidMappings: mappings(user.maps.uids), gidMappings: mappings(user.maps.gids) }),
  }
}

const mappings = (ranges: readonly IdRange[]): OciIdMapping[] =>
  ranges.map(({ inside, outside, count }) => ({ containerID: inside, hostID: outside, size: count }))

function chooseSeccomp(
  input: SpecInput,
  capabilities: string[],
  host: HostFacts,
  notices: string[],
): OciSeccomp | undefined {
  const { seccomp, privileged } = input.container.security
  if (privileged && seccomp.type === 'Localhost')
    notices.push('the seccomp profile has no effect on a privileged container')
  if (privileged || seccomp.type === 'Unconfined') return undefined
  return convertSeccomp(input.seccompProfile, { capabilities, arch: host.arch, kernel: host.kernel })
}

function hostDevices(input: SpecInput): OciConfig['linux']['devices'] {
  if (!input.container.security.privileged) return []
  return (input.hostDevices ?? []).map(({ path, type, major, minor, mode, uid, gid }) => ({
    path,
    type,
    major,
    minor,
    fileMode: mode,
    uid,
    gid,
  }))
}

function nothingToRun(image: string): TspodError {
  return new TspodError('IMAGE_BAD_CONFIG', `there is nothing to run: image ${image} has no entrypoint and no cmd`, {
    remedy: 'set command in the manifest',
  })
}
