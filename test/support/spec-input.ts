/** Complete inputs for the spec builder, to be changed by a test where it matters. */
import { readFileSync } from 'node:fs'
import { emptyPodSpec } from '../../src/engine/play/empty-pod.ts'
import type { ContainerName, ContainerSecurity, ContainerSpec, Id, ImageConfig, PodSpec } from '../../src/model.ts'
import type { HostFacts, SpecInput } from '../../src/oci/spec/index.ts'

/** A host where everything works. */
export function hostFacts(changes: Partial<HostFacts> = {}): HostFacts {
  return {
    cgroup: 'v2',
    capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'NET_ADMIN', 'NET_BIND_SERVICE', 'NET_RAW']
      .concat(['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_ADMIN', 'SYS_CHROOT', 'SYS_TIME'])
      .map(name => `CAP_${name}`),
    nofileHard: 1_048_576,
    nprocHard: 100_000,
    memlockHard: Number.POSITIVE_INFINITY,
    canLowerOom: true,
    memoryBytes: 8 * 1024 ** 3,
    cpus: 2,
    arch: 'amd64',
    kernel: '6.1.0-13-amd64',
    apparmor: false,
    selinux: false,
    controllers: ['cpu', 'memory', 'pids'],
    ipv6: true,
    ...changes,
  }
}

export function securityOf(changes: Partial<ContainerSecurity> = {}): ContainerSecurity {
  return {
    runAsNonRoot: false,
    capabilities: { add: [], drop: [] },
    privileged: false,
    readOnlyRootFilesystem: false,
    allowPrivilegeEscalation: true,
    seccomp: { type: 'RuntimeDefault' },
    procMount: 'Default',
    ...changes,
  }
}

export function containerSpec(changes: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name: 'web' as ContainerName,
    image: 'localhost/web:1',
    pullPolicy: 'IfNotPresent',
    env: [],
    ports: [],
    resources: {},
    security: securityOf(),
    mounts: [],
    tty: false,
    stdin: false,
    stdinOnce: false,
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    ...changes,
  }
}

export function podSpec(changes: Partial<PodSpec> = {}): PodSpec {
  return {
    ...emptyPodSpec('app', 'Pod'),
    labels: { app: 'label-that-stays-out' },
    annotations: { 'run.oci.handler': 'annotation-that-stays-out' },
    origin: { kind: 'Pod', name: 'app', place: { file: 'app.yaml', line: 1, column: 1 } },
    dns: { policy: 'default', nameservers: [], searches: [], options: [] },
    containers: [containerSpec()],
    ...changes,
  }
}

export function imageConfig(changes: Partial<ImageConfig> = {}): ImageConfig {
  return {
    entrypoint: ['/bin/web'],
    cmd: [],
    env: [],
    workingDir: '',
    user: '',
    stopSignal: '',
    volumes: [],
    labels: { 'io.containers.autoupdate': 'label-that-stays-out' },
    ...changes,
  }
}

/** A small profile in the format of containers-common, with each kind of condition once. */
export const PROFILE = JSON.parse(readFileSync(new URL('./seccomp-profile.json', import.meta.url), 'utf8')) as object

/** The input for a container that `changes` describe; the pod consists of it alone unless a pod is given. */
export function specInput(changes: Partial<SpecInput> = {}): SpecInput {
  const container = changes.container ?? containerSpec()
  return {
    container,
    pod: podSpec({ containers: [container] }),
    image: imageConfig(),
    env: { PATH: '/bin' },
    args: ['/bin/web', '--port', '80'],
    identity: { uid: 0, gid: 0, groups: [0], home: '/root' },
    rootfs: '/var/lib/containers/storage/overlay/x/merged',
    mounts: [],
    namespaces: { net: '/run/tspod/pods/p/ns/net', ipc: '/run/tspod/pods/p/ns/ipc', uts: '/run/tspod/pods/p/ns/uts' },
    cgroupPath: '/tspod/pod-app-p/web',
    seccompProfile: PROFILE,
    hostname: 'app',
    ids: { pod: 'a'.repeat(64) as Id, container: 'b'.repeat(64) as Id },
    ...changes,
  }
}
