/** Environments, processes that join a container, and the container that only holds namespaces. */
import type { ImageConfig } from '../../model.ts'
import { buildNamespaces, envList, OCI_VERSION, ociUser, ownAnnotations, safeDirectory } from './build.ts'
import { capabilitySets } from './capabilities.ts'
import { coreMounts, maskedPaths } from './mounts.ts'
import { buildRlimits, clampOom } from './resources.ts'
import { convertSeccomp } from './seccomp.ts'
import { buildSysctls } from './sysctl.ts'
import type { HostFacts, Identity, OciConfig, OciProcess, SpecInput } from './types.ts'

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const PAUSE_BINARY = '/catatonit'
const PAUSE_PIDS = 16
/** The kubelet gives it to the sandbox container: when it goes, the whole pod goes. */
const PAUSE_OOM_SCORE = -998

/**
 * The environment every container starts from: a PATH, `container=podman` (scripts in images look for it to see that
 * they run in a container, and Podman is what tspod stands in for), HOME, HOSTNAME, TERM with a terminal, and over
 * that the image's own entries. Entries without a name or a `=` are dropped: a runtime must never take one as
 * "copy it from outside" (CVE-2026-57231).
 */
export function baseEnv(
  image: ImageConfig,
  facts: { home: string; hostname?: string; tty: boolean },
): Record<string, string> {
  const env: Record<string, string> = { PATH: DEFAULT_PATH, container: 'podman', HOME: facts.home }
  if (facts.hostname !== undefined) env.HOSTNAME = facts.hostname
  if (facts.tty) env.TERM = 'xterm'
  for (const entry of image.env) {
    const equals = entry.indexOf('=')
    if (equals > 0 && !entry.includes('\0')) env[entry.slice(0, equals)] = entry.slice(equals + 1)
  }
  return env
}

export type ExecWanted = {
  args: string[]
  /** Put over the container's environment. */
  env: Record<string, string>
  /** Another user than the container's. */
  identity?: Identity
  cwd?: string
  /** Other capabilities than the container's. */
  capabilities?: readonly string[]
  tty: boolean
}

/**
 * The process.json of `runtime exec`: the sandbox of the container's own process (capabilities, limits, no new
 * privileges; the runtime adds its seccomp filter and cgroup), with other words, user, directory and terminal.
 * Throws SECURITY_REFUSED for a working directory below /proc.
 */
export function buildExecProcess(config: OciConfig, wanted: ExecWanted): OciProcess {
  const env: Record<string, string> = {}
  for (const line of config.process.env) env[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1)
  if (wanted.identity !== undefined) env.HOME = wanted.identity.home
  if (wanted.tty) env.TERM ??= 'xterm'
  return {
    ...config.process,
    terminal: wanted.tty,
    ...(wanted.capabilities !== undefined && { capabilities: capabilitySets(wanted.capabilities) }),
    user: wanted.identity === undefined ? config.process.user : ociUser(wanted.identity),
    args: wanted.args,
    env: envList({ ...env, ...wanted.env }, env.HOME ?? '/'),
    cwd: wanted.cwd === undefined ? config.process.cwd : safeDirectory(wanted.cwd),
  }
}

export type PauseInput = Pick<
  SpecInput,
  'pod' | 'ids' | 'namespaces' | 'cgroupPath' | 'seccompProfile' | 'hostname'
> & {
  /** An empty directory of this container's own. */
  rootfs: string
  /** Path of catatonit on the host: a static program. */
  catatonit: string
}

/**
 * The container that owns the PID namespace of a pod with shareProcessNamespace: it sleeps, and reaps what loses its
 * parent. It has no capabilities, and nothing to see but catatonit.
 */
export function buildPauseSpec(input: PauseInput, host: HostFacts): OciConfig {
  const facts = { capabilities: [], arch: host.arch, kernel: host.kernel }
  const bind = { type: 'bind', source: input.catatonit, options: ['bind', 'rprivate', 'ro', 'nosuid', 'nodev'] }
  const has = (controller: string): boolean => host.controllers?.includes(controller) ?? true
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: false,
      user: { uid: 0, gid: 0, umask: 0o022, additionalGids: [0] },
      args: [PAUSE_BINARY, '-P'],
      env: envList({ PATH: '/' }, '/'),
      cwd: '/',
      capabilities: capabilitySets([]),
      rlimits: buildRlimits(host, []),
      noNewPrivileges: true,
      oomScoreAdj: clampOom(PAUSE_OOM_SCORE, host, []),
    },
    root: { path: input.rootfs, readonly: true },
    ...(input.namespaces.uts !== undefined && input.hostname !== undefined && { hostname: input.hostname }),
    mounts: [...coreMounts(), { destination: PAUSE_BINARY, ...bind }],
    annotations: ownAnnotations(input.ids),
    linux: {
      ...buildNamespaces({ ...input.namespaces, pid: 'private' }),
      cgroupsPath: input.cgroupPath,
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        ...(has('pids') && { pids: { limit: PAUSE_PIDS } }),
      },
      devices: [],
      sysctl: buildSysctls(input, host),
      maskedPaths: maskedPaths(host).filter(path => path.startsWith('/proc/')),
      readonlyPaths: ['/proc/sys', '/proc/sysrq-trigger'],
      seccomp: convertSeccomp(input.seccompProfile, facts),
    },
  }
}
