/** inspect: the names of Podman beside ours, in JSON and in templates, and what is said of what is not there. */
import { describe, expect, test } from '@jest/globals'
import { interpret } from '../../../src/cli/interpret.ts'
import type { Engine, InspectedContainer, InspectedPod } from '../../../src/engine/index.ts'
import { TspodError } from '../../../src/errors.ts'
import type { ContainerSpec, PodSpec } from '../../../src/model.ts'
import type { OciConfig } from '../../../src/oci/index.ts'
import { containerView, podView, recordedWorld } from '../../support/world.ts'

const nginx = {
  name: 'nginx',
  image: 'docker.io/library/nginx:1.27',
  command: ['nginx'],
  args: ['-g', 'daemon off;'],
  env: [
    { name: 'MODE', secret: false, text: 'fast', expand: false },
    { name: 'TOKEN', secret: true, text: '(secret)', expand: false },
  ],
  resources: { cpuLimitMilli: 1500, memoryLimitBytes: 64 * 1024 * 1024 },
  security: {
    runAsUser: 101,
    runAsNonRoot: true,
    capabilities: { add: ['NET_ADMIN'], drop: ['CAP_CHOWN'] },
    privileged: false,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    seccomp: { type: 'RuntimeDefault' },
    procMount: 'Default',
  },
  mounts: [
    { volume: 'html', path: '/usr/share/nginx/html', readOnly: true, propagation: 'None' },
    { volume: 'data', path: '/data', readOnly: false, propagation: 'HostToContainer', subPath: 'a' },
  ],
  tty: false,
  stdin: true,
  stdinOnce: false,
} as unknown as ContainerSpec

const spec = {
  name: 'web',
  labels: { app: 'web' },
  annotations: { note: 'x' },
  hostname: 'web',
  hostAliases: [{ ip: '10.0.0.1', hostnames: ['db', 'db2'] }],
  dns: { policy: 'default', nameservers: ['1.1.1.1'], searches: ['lan'], options: [{ name: 'ndots', value: '2' }] },
  restartPolicy: 'Always',
  graceMs: 7000,
  hostNetwork: false,
  hostPid: false,
  hostIpc: false,
  shareProcessNamespace: false,
  security: { supplementalGroups: [7] },
  volumes: [
    { name: 'html', kind: 'hostPath', path: '/srv/html', type: '' },
    { name: 'data', kind: 'claim', claim: 'web-data', readOnly: false },
  ],
  initContainers: [],
  containers: [nginx],
} as unknown as PodSpec

const pod: InspectedPod = {
  kind: 'pod',
  view: podView(),
  conditions: [],
  goal: 'running',
  spec,
  settings: {
    network: 'bridge',
    attachments: [{ network: 'tspod', address: '10.91.0.2', aliases: [] }],
    log: { driver: 'k8s-file', maxBytes: 10_000_000 },
    noHosts: false,
    noHostname: false,
  },
  sandbox: {
    runtime: { name: 'crun', path: '/usr/bin/crun', version: '1.21', root: '/run/tspod/runtime/crun' },
    namespaces: '/run/tspod/pods/web/ns',
    network: {
      networks: { tspod: { static_ips: ['10.91.0.2'], interface_name: 'eth0', aliases: ['web'] } },
      network_info: { tspod: { subnets: [{ subnet: '10.91.0.0/16', gateway: '10.91.0.1' }] } },
    },
    addresses: ['10.91.0.2'],
    dnsServers: [],
  },
  cgroupManager: 'systemd',
}

const config = {
  ociVersion: '1.0.2',
  process: {
    args: ['nginx', '-g', 'daemon off;'],
    env: ['PATH=/bin', 'MODE=fast', 'TOKEN=(secret)'],
    cwd: '/work',
    capabilities: { bounding: ['CAP_NET_ADMIN'], effective: ['CAP_NET_ADMIN'] },
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 }],
    oomScoreAdj: 5,
  },
  root: { path: '/var/lib/containers/storage/overlay/abc/merged', readonly: true },
  hostname: 'web',
  mounts: [
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'size=65536000'] },
    {
      destination: '/data',
      type: 'bind',
      source: '/var/lib/tspod/volumes/web-data/a',
      options: ['rbind', 'rw', 'rslave'],
    },
  ],
  annotations: { 'org.x': 'y' },
  linux: {
    cgroupsPath: '/tspod/pod-web/nginx',
    resources: {
      devices: [],
      memory: { limit: 67108864 },
      cpu: { shares: 1536, quota: 150000, period: 100000 },
      pids: { limit: 2048 },
    },
    devices: [],
  },
} as unknown as OciConfig

const container: InspectedContainer = {
  kind: 'container',
  view: containerView({ restarts: 2, conmonPid: 4300, stopSignal: 'SIGQUIT' }),
  pod,
  spec: nginx,
  config,
  image: {
    id: 'd'.repeat(64),
    digest: 'sha256:abc',
    names: [],
    sizeBytes: 1,
    createdMs: 0,
    config: {
      entrypoint: ['/entry'],
      cmd: [],
      env: [],
      workingDir: '',
      user: 'www',
      stopSignal: '',
      volumes: [],
      labels: { maintainer: 'me' },
    },
  },
  oomKilled: false,
  execSessions: [
    { id: 'dead', command: ['true'], createdMs: 1, running: false, finishedMs: 2, exitCode: 0 },
    { id: 'feed', command: ['sh'], createdMs: 3, running: true, pid: 4 },
  ],
  directory: '/run/tspod/containers/ccc',
  podDirectory: '/run/tspod/pods/web',
}
const { pid: _, ...endedView } = containerView({
  state: 'stopped',
  goal: 'stopped',
  reason: 'Error',
  message: 'oom',
  exitCode: 137,
  finishedMs: Date.UTC(2026, 0, 2),
})
const ended: InspectedContainer = {
  ...container,
  view: endedView,
  config: undefined,
  image: undefined,
  oomKilled: true,
}

const engine: Partial<Engine> = {
  pods: async () => [podView()],
  inspect: async (name, kind) => {
    if (name === 'broken') throw new Error('a bug')
    if (name === 'web' || name === pod.view.id) return pod
    if (name === 'gone') return ended
    if (name === 'web-nginx' || name === container.view.id) return container
    throw new TspodError('NO_SUCH_OBJECT', `no such ${kind ?? 'object:'} ${name}`, { remedy: 'look' })
  },
}

async function run(...args: string[]) {
  const invocation = await interpret(args, 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  return invocation.verb.run(invocation.input, recordedWorld(engine).world)
}

describe('inspect', () => {
  test('what exists is shown, what does not is told', async () => {
    const { stdout, stderr, exitCode } = await run('inspect', 'web', 'nope', 'web-nginx')
    expect(JSON.parse(stdout ?? '').map(({ name }: { name: string }) => name)).toEqual(['web', 'web-nginx'])
    expect({ stderr, exitCode }).toEqual({ stderr: 'Error: no such object: nope\n  look\n', exitCode: 125 })
  })
  test('nothing that exists is an empty array', async () => {
    expect(await run('pod', 'inspect', 'nope')).toEqual({
      stdout: '[]\n',
      stderr: 'Error: no such pod nope\n  look\n',
      exitCode: 125,
    })
  })
  test('any other error is not swallowed', async () => {
    await expect(run('inspect', 'broken')).rejects.toThrow('a bug')
  })
  test.each<[args: string[], message: RegExp]>([
    [['inspect'], /^no names or ids specified$/],
    [['inspect', '-l', 'web'], /^--latest and arguments cannot be used together$/],
    [['inspect', '-t', 'foo', 'web'], /^invalid argument "foo" for "-t, --type" flag: want all, container or pod$/],
    [
      ['inspect', '-f', '{{.State.Foo}}', 'web-nginx'],
      /can't evaluate field Foo in type \*define.InspectContainerData.State$/,
    ],
    [['pod', 'inspect', '-f', '{{.Foo}}', 'web'], /can't evaluate field Foo in type \*define.InspectPodData$/],
  ])('%j is refused', async (args, message) => {
    await expect(run(...args)).rejects.toThrow(message)
  })
  test("ours and Podman's names, for a container", async () => {
    const [record] = JSON.parse((await run('container', 'inspect', 'web-nginx')).stdout ?? '')
    expect(record).toMatchObject({
      id: container.view.id,
      state: 'running',
      spec: { image: nginx.image },
      Id: container.view.id,
      Created: '2026-01-02T11:54:59Z',
      Path: 'nginx',
      Args: ['-g', 'daemon off;'],
      State: { Status: 'running', Running: true, Pid: 4321, ConmonPid: 4300, FinishedAt: '0001-01-01T00:00:00Z' },
      Name: 'web-nginx',
      Config: { Labels: { app: 'web', maintainer: 'me' }, Annotations: { note: 'x', 'org.x': 'y' } },
      HostConfig: { Ulimits: [{ Name: 'RLIMIT_NOFILE', Soft: 1024, Hard: 4096 }] },
    })
  })
  test("ours and Podman's names, for a pod, in an array as Podman 5 has it", async () => {
    const [record] = JSON.parse((await run('pod', 'inspect', 'web')).stdout ?? '')
    expect(record).toMatchObject({
      name: 'web',
      goal: 'running',
      phase: 'Running',
      Id: pod.view.id,
      State: 'Running',
      Labels: { app: 'web' },
      NumContainers: 1,
      Containers: [{ Id: container.view.id, Name: 'web-nginx', State: 'running' }],
      InfraConfig: {
        Networks: ['tspod'],
        DNSServer: ['1.1.1.1'],
        DNSOption: ['ndots:2'],
        HostAdd: ['db:10.0.0.1', 'db2:10.0.0.1'],
      },
    })
  })
  test.each<[name: string, format: string, text: string]>([
    ['web-nginx', '{{.Id}} {{.ID}}', `${container.view.id} ${container.view.id}`],
    ['web-nginx', '{{.State.Status}} {{.State.Running}} {{.State.Pid}} {{.State.ExitCode}}', 'running true 4321 0'],
    ['web-nginx', '{{.State.StartedAt}}', '2026-01-02 11:55:00 +0000 UTC'],
    ['web-nginx', '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}', 'none'],
    [
      'web-nginx',
      '{{.NetworkSettings.IPAddress}} {{.NetworkSettings.Gateway}}/{{.NetworkSettings.IPPrefixLen}}',
      '10.91.0.2 10.91.0.1/16',
    ],
    ['web-nginx', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', '10.91.0.2'],
    ['web-nginx', '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.Aliases}}{{end}}', 'tspod [web]'],
    ['web-nginx', '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', '8080'],
    [
      'web-nginx',
      '{{range $p, $b := .HostConfig.PortBindings}}{{$p}} -> {{(index $b 0).HostPort}}{{end}}',
      '80/tcp -> 8080',
    ],
    ['web-nginx', '{{json .NetworkSettings.Ports}}', '{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}'],
    ['web-nginx', '{{.NetworkSettings.SandboxKey}}', '/run/tspod/pods/web/ns/net'],
    [
      'web-nginx',
      '{{range .Mounts}}{{.Type}}:{{.Name}}:{{.Source}}:{{.Destination}}:{{.RW}}:{{.Propagation}} {{end}}',
      'bind::/srv/html:/usr/share/nginx/html:false:rprivate volume:web-data:/var/lib/tspod/volumes/web-data/a:/data:true:rslave ',
    ],
    ['web-nginx', '{{json .Config.Labels}}', '{"app":"web","maintainer":"me"}'],
    ['web-nginx', '{{index .Config.Labels "app"}} {{.Config.Labels.app}}', 'web web'],
    ['web-nginx', '{{range .Config.Env}}{{println .}}{{end}}', 'PATH=/bin\nMODE=fast\nTOKEN=(secret)\n'],
    [
      'web-nginx',
      '{{.Config.Entrypoint}} {{.Config.Cmd}} {{.Config.WorkingDir}} {{.Config.User}}',
      '[nginx] [-g daemon off;] /work 101',
    ],
    [
      'web-nginx',
      '{{.Config.StopSignal}} {{.Config.StopTimeout}} {{.Config.Tty}} {{.Config.OpenStdin}} {{.Config.Hostname}}',
      'SIGQUIT 7 false true web',
    ],
    [
      'web-nginx',
      '{{.Config.Image}} {{.ImageName}} {{.ImageDigest}}',
      'docker.io/library/nginx:1.27 docker.io/library/nginx:1.27 sha256:abc',
    ],
    [
      'web-nginx',
      '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.CpuQuota}}',
      '67108864 1500000000 2048 150000',
    ],
    ['web-nginx', '{{.HostConfig.RestartPolicy.Name}} {{.RestartCount}}', 'always 2'],
    [
      'web-nginx',
      '{{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}} {{.EffectiveCaps}}',
      '[CAP_NET_ADMIN] [CAP_CHOWN] [CAP_NET_ADMIN]',
    ],
    [
      'web-nginx',
      '{{.HostConfig.Privileged}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.NetworkMode}} {{.HostConfig.SecurityOpt}}',
      'false true bridge [no-new-privileges]',
    ],
    [
      'web-nginx',
      '{{.HostConfig.LogConfig.Type}} {{.HostConfig.LogConfig.Path}} {{.LogPath}}',
      'k8s-file /var/log/tspod/pods/web/nginx.log /var/log/tspod/pods/web/nginx.log',
    ],
    [
      'web-nginx',
      '{{join .HostConfig.Binds " "}}',
      '/srv/html:/usr/share/nginx/html:ro,rprivate web-data:/data:rw,rslave,rbind',
    ],
    [
      'web-nginx',
      '{{.HostConfig.Dns}} {{.HostConfig.ExtraHosts}} {{.HostConfig.GroupAdd}} {{.HostConfig.CgroupParent}}',
      '[1.1.1.1] [db:10.0.0.1 db2:10.0.0.1] [7] /machine.slice/tspod-pod-web-aaaaaaaaaaaa.scope',
    ],
    [
      'web-nginx',
      '{{.OCIRuntime}} {{.OCIConfigPath}} {{.ConmonPidFile}}',
      'crun /run/tspod/containers/ccc/config.json /run/tspod/containers/ccc/conmon.pid',
    ],
    [
      'web-nginx',
      '{{.GraphDriver.Name}} {{.GraphDriver.Data.UpperDir}} {{.HostConfig.ShmSize}}',
      'overlay /var/lib/containers/storage/overlay/abc/diff 65536000',
    ],
    [
      'web-nginx',
      '{{.IsInfra}} {{.IsService}} {{.KubeExitCodePropagation}} {{.Dependencies}} {{.ExecIDs}}',
      'false false invalid [] [feed]',
    ],
    [
      'gone',
      '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Pid}} {{.State.ConmonPid}} {{.State.Error}}',
      'exited 137 true 0 0 oom',
    ],
    [
      'gone',
      '{{.State.FinishedAt}} {{.State.StoppedByUser}} {{.OCIConfigPath}}|',
      '2026-01-02 00:00:00 +0000 UTC true |',
    ],
    ['gone', '{{.Config.Env}} {{.HostConfig.Memory}} {{.EffectiveCaps}}', '[MODE=fast TOKEN=(secret)] 67108864 []'],
    [
      'web',
      '{{.State}} {{.NumContainers}} {{.CgroupParent}} {{.RestartPolicy}} {{.ExitPolicy}}',
      'Running 1 /machine.slice always stop',
    ],
    [
      'web',
      '{{range .Containers}}{{.Name}}={{.State}}{{end}} {{.SharedNamespaces}}',
      'web-nginx=running [ipc net uts]',
    ],
    ['web', '{{(index (index .InfraConfig.PortBindings "80/tcp") 0).HostPort}} {{.InfraContainerID}}|', '8080 |'],
  ])('%s: %s', async (name, format, text) => {
    expect((await run('inspect', '--format', format, name)).stdout).toBe(`${text}\n`)
  })
  test('the latest container, or pod', async () => {
    expect((await run('inspect', '-l', '-f', '{{.Name}}')).stdout).toBe('web-nginx\n')
    expect((await run('inspect', '-l', '--type', 'pod', '-f', '{{.Name}}')).stdout).toBe('web\n')
    expect((await run('pod', 'inspect', '-l', '-f', '{{.Name}}')).stdout).toBe('web\n')
  })
})
