/** The lists: what is in them, and how they look to people and to scripts. */
import { describe, expect, test } from '@jest/globals'
import { imageList } from '../../../src/cli/image-ls.ts'
import { interpret } from '../../../src/cli/interpret.ts'
import type { Engine, ListedPod } from '../../../src/engine/index.ts'
import type { ContainerName, Id, LocalImage, PodName } from '../../../src/model.ts'
import { containerView, NOW_MS, podView, recordedOutput, recordedWorld } from '../../support/world.ts'

const failed = containerView({
  id: 'e'.repeat(64) as Id,
  name: 'web-setup',
  shortName: 'setup' as ContainerName,
  kind: 'init',
  state: 'exited',
  reason: 'Error',
  exitCode: 3,
  restarts: 2,
  ports: [],
})
const { pid: _, ...setup } = failed
const pods: ListedPod[] = [
  podView({ containers: [setup, containerView()] }),
  podView({
    id: 'b'.repeat(64) as Id,
    name: 'job' as PodName,
    phase: 'Succeeded',
    state: 'Created',
    reason: 'Completed',
    ready: 0,
    ips: [],
    createdMs: NOW_MS - 3 * 86_400_000,
    containers: [],
  }),
]

/** Runs a list command against a world that has the pods above. */
async function list(line: string | string[], engine: Partial<Engine> = {}): Promise<string> {
  const invocation = await interpret(typeof line === 'string' ? line.split(' ') : line, 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  const { world } = recordedWorld({ pods: async () => pods, images: async () => images, ...engine })
  return (await invocation.verb.run(invocation.input, world)).stdout ?? ''
}

const images: LocalImage[] = [
  {
    id: '1'.repeat(64),
    digest: `sha256:${'2'.repeat(64)}`,
    names: ['localhost:5000/app:2', 'docker.io/library/app@sha256:abc', 'bare'],
    sizeBytes: 2_130_000,
    createdMs: NOW_MS - 7_200_000,
    config: { entrypoint: [], cmd: [], env: [], workingDir: '', user: '', stopSignal: '', volumes: [], labels: {} },
  },
]
images.push({ ...images[0]!, id: '3'.repeat(64), names: [], createdMs: NOW_MS - 60_000 })

describe('ps', () => {
  test('running containers', async () => {
    expect(await list('ps')).toBe(
      'NAME        POD   READY   STATUS    RESTARTS   AGE   IMAGE                          PORTS\n' +
        'web-nginx   web   yes     Running   0          5m    docker.io/library/nginx:1.27   0.0.0.0:8080->80/tcp\n',
    )
  })
  test('all of them, with more columns', async () => {
    expect(await list('ps -a -o wide')).toBe(
      'NAME        POD   READY   STATUS      RESTARTS   AGE   IMAGE                          PORTS                  ID             KIND      PID    IP          RAN FOR   MESSAGE\n' +
        'web-setup   web           Error (3)   2          5m    docker.io/library/nginx:1.27                          eeeeeeeeeeee   init             10.91.0.2\n' +
        'web-nginx   web   yes     Running     0          5m    docker.io/library/nginx:1.27   0.0.0.0:8080->80/tcp   cccccccccccc   regular   4321   10.91.0.2\n',
    )
  })
  test('how long a run took, and when the next one is due', async () => {
    const [startedMs, finishedMs, nextStartMs] = [NOW_MS - 12_000, NOW_MS - 5_000, NOW_MS + 15_000]
    const waiting = { ...setup, startedMs, finishedMs, nextStartMs, message: 'back-off 20s' }
    const one = [podView({ containers: [waiting] })]
    const text = await list('ps -a -o wide', { pods: async () => one })
    expect(text).toMatch(/RAN FOR +MESSAGE\n.* 7s +back-off 20s; next try in 15s\n/)
  })
  test('ids', async () => {
    expect(await list('ps -q')).toBe('cccccccccccc\n')
    expect(await list('ps -aq --no-trunc')).toBe(`${'e'.repeat(64)}\n${'c'.repeat(64)}\n`)
  })
  test('for scripts: what is not known is null, and names do not change', async () => {
    const [first] = JSON.parse(await list('ps -a --format json'))
    expect(Object.keys(first).filter(name => /^[a-z]/.test(name))).toEqual([
      'id',
      'name',
      'shortName',
      'pod',
      'podId',
      'kind',
      'image',
      'imageId',
      'state',
      'status',
      'message',
      'pid',
      'exitCode',
      'ready',
      'health',
      'restarts',
      'created',
      'started',
      'finished',
      'nextStart',
      'command',
      'ports',
      'logPath',
    ])
    expect(first).toMatchObject({ name: 'web-setup', state: 'exited', exitCode: 3, pid: null, finished: null })
    expect(await list('ps -o json')).toBe(await list('ps --format json'))
  })
  test("for scripts written for Podman: Podman's names beside ours", async () => {
    const [ended, running] = JSON.parse(await list('ps -a --format json'))
    expect(running).toMatchObject({
      Id: 'c'.repeat(64),
      Names: ['web-nginx'],
      Image: 'docker.io/library/nginx:1.27',
      ImageID: 'd'.repeat(64),
      Command: ['nginx', '-g', 'daemon off;'],
      State: 'running',
      Status: 'Up 5 minutes',
      Created: 1767354899,
      StartedAt: 1767354900,
      Pid: 4321,
      Pod: 'a'.repeat(64),
      PodName: 'web',
      Labels: { app: 'web' },
      Mounts: ['/usr/share/nginx/html'],
      Networks: ['tspod'],
      Ports: [{ host_ip: '', container_port: 80, host_port: 8080, range: 1, protocol: 'tcp' }],
    })
    expect(ended).toMatchObject({ State: 'exited', Exited: true, ExitCode: 3, Pid: 0, Ports: null })
  })
  test('nothing at all is an empty list', async () => {
    for (const line of ['ps -a', 'pod ps']) {
      expect(await list(`${line} --format json`, { pods: async () => [] })).toBe('[]\n')
      expect(await list(`${line} --format {{.ID}}`, { pods: async () => [] })).toBe('')
    }
  })
})

describe('ps in a form of your own', () => {
  test.each<[args: string[], text: string]>([
    [['--format', '{{.Names}}'], 'web-nginx\n'],
    [
      ['-a', '--format', '{{.ID}} {{.Names}} {{.State}}'],
      'eeeeeeeeeeee web-setup exited\ncccccccccccc web-nginx running\n',
    ],
    [['--no-trunc', '--format', '{{.ID}}'], `${'c'.repeat(64)}\n`],
    [['--format', '{{.Image}} {{.ImageID}}'], 'docker.io/library/nginx:1.27 dddddddddddd\n'],
    [['--format', '{{.Command}}'], 'nginx -g daemon o...\n'],
    [['--format', '{{.Status}}|{{.RunningFor}}|{{.CreatedHuman}}'], 'Up 5 minutes|5 minutes ago|5 minutes ago\n'],
    [['--format', '{{.CreatedAt}}'], '2026-01-02 11:54:59 +0000 UTC\n'],
    [['--format', '{{.Ports}}'], '0.0.0.0:8080->80/tcp\n'],
    [['--format', '{{.Pod}} {{.PodName}} {{.Pid}} {{.Restarts}}'], 'aaaaaaaaaaaa web 4321 0\n'],
    [['--format', '{{.Labels}} {{.Label "app"}} {{.Label "nope"}}'], 'map[app:web] web \n'],
    [['--format', '{{.Mounts}} {{.Networks}}'], '[/usr/share/nginx/html] tspod\n'],
    [['-a', '--format', '{{.ExitCode}} {{.Exited}} {{.StartedAt}}'], '3 true 1767354900\n0 false 1767354900\n'],
    [
      ['-a', '--format', 'table {{.Names}} {{.Status}}'],
      'NAMES       STATUS\nweb-setup   Exited (3) 5 minutes ago\nweb-nginx   Up 5 minutes\n',
    ],
    [['-a', '--noheading', '--format', 'table {{.Names}}'], 'web-setup\nweb-nginx\n'],
    [['-q', '--format', '{{.Names}}'], 'web-nginx\n'],
    [
      ['--noheading'],
      'web-nginx   web   yes     Running   0          5m    docker.io/library/nginx:1.27   0.0.0.0:8080->80/tcp\n',
    ],
  ])('ps %j', async (args, text) => {
    expect(await list(['ps', ...args])).toBe(text)
  })
  test('json of a row is the record of the list', async () => {
    const row = (await list(['ps', '--format', '-{{json .}}'])).slice(1)
    expect(JSON.parse(row)).toEqual(JSON.parse(await list('ps --format json'))[0])
    expect(JSON.parse(await list(['ps', '--format', '{{json .}}']))).toEqual(JSON.parse(await list('ps --format json')))
  })
  test.each(['container ps', 'container ls', 'container list'])('%s is ps', async name => {
    expect(await list(`${name} -aq`)).toBe(await list('ps -aq'))
  })
  test.each<[args: string[], text: string]>([
    [['--format', '{{.Name}} {{.Id}} {{.ID}}'], 'web aaaaaaaaaaaa aaaaaaaaaaaa\njob bbbbbbbbbbbb bbbbbbbbbbbb\n'],
    [
      ['--format', '{{.Status}} {{.NumberOfContainers}} {{.Created}}'],
      'Running 2 5 minutes ago\nCreated 0 3 days ago\n',
    ],
    [['-l', '--format', '{{.ContainerNames}} {{.ContainerStatuses}}'], 'web-setup,web-nginx exited,running\n'],
    [['-l', '--format', '{{.InfraId}}|{{.InfraID}}|{{.Networks}}|{{.Restarts}}'], '||tspod|0\n'],
    [['-l', '--format', '{{.Cgroup}} {{.Labels}}'], '/machine.slice/tspod-pod-web-aaaaaaaaaaaa.scope map[app:web]\n'],
    [
      ['-l', '--format', '{{range .Containers}}{{.Names}}={{.Status}} {{end}}'],
      'web-setup=exited web-nginx=running \n',
    ],
    [
      ['--format', 'table {{.Name}}\t{{.NumberOfContainers}}'],
      'NAME        # OF CONTAINERS\nweb         2\njob         0\n',
    ],
    [['--sort', 'name', '-q'], 'bbbbbbbbbbbb\naaaaaaaaaaaa\n'],
    [['--sort', 'number', '-q'], 'bbbbbbbbbbbb\naaaaaaaaaaaa\n'],
  ])('pod ps %j', async (args, text) => {
    expect(await list(['pod', 'ps', ...args])).toBe(text)
  })
})

describe('a service container', () => {
  const service = podView({
    id: 'f'.repeat(64) as Id,
    name: '0123456789ab-service' as PodName,
    kind: 'service',
    containers: [containerView({ name: '0123456789ab-service', kind: 'service', mounts: [], ports: [], command: [] })],
  })
  const engine = { pods: async () => [service] }
  test('is in no pod, and no pod itself', async () => {
    expect(await list(['ps', '--format', '{{.Names}}|{{.Pod}}|{{.PodName}}|'], engine)).toBe(
      '0123456789ab-service|||\n',
    )
    expect(JSON.parse(await list('ps --format json', engine))[0]).toMatchObject({ Pod: '', PodName: '' })
    expect(await list(['ps', '-p', '--noheading'], engine)).toMatch(/^0123456789ab-service {17}Running /)
    expect(await list('ps -q -f pod=0123456789ab-service', engine)).toBe('')
    expect(await list('pod ps -q', engine)).toBe('')
  })
})

describe('ps --watch', () => {
  test('shows the list until somebody stops it', async () => {
    const stop = new AbortController()
    const slept: number[] = []
    const clock = {
      nowMs: () => NOW_MS,
      monotonicMs: () => 0,
      sleep: async (ms: number) => {
        if (slept.push(ms) === 2) stop.abort()
      },
    }
    const { world, out } = recordedWorld({ pods: async () => pods }, { clock, signal: stop.signal })
    const invocation = await interpret(['ps', '-q', '--watch', '3'], 80)
    if (invocation.kind === 'text') throw new Error('this is help')
    expect(await invocation.verb.run(invocation.input, world)).toEqual({ interrupted: true })
    expect({ slept, out: out() }).toEqual({ slept: [3000, 3000], out: 'cccccccccccc\ncccccccccccc\n' })
  })
})

describe('on a terminal', () => {
  test('no label steers it', async () => {
    const evil = podView({ labels: { app: 'a\u001b[2Jb' } })
    const output = recordedOutput({ isTerminal: true }).output
    const { world } = recordedWorld({ pods: async () => [evil] }, { out: output })
    const invocation = await interpret(['ps', '--format', '{{.Label "app"}}\t{{.Names}}'], 80)
    if (invocation.kind === 'text') throw new Error('this is help')
    expect((await invocation.verb.run(invocation.input, world)).stdout).toBe('a?[2Jb\tweb-nginx\n')
  })
})

describe('which rows', () => {
  const setup = 'web-setup'
  const nginx = 'web-nginx'
  test.each<[args: string, names: string[]]>([
    ['', [nginx]],
    ['-a', [setup, nginx]],
    ['-a -f id=eee', [setup]],
    ['-a -f id=^e+$', [setup]],
    ['-a -f name=nginx', [nginx]],
    ['-a -f name=^web-', [setup, nginx]],
    ['-a -f name=nope', []],
    ['-a -f name=nginx -f name=setup', [setup, nginx]],
    ['-a -f name=nginx -f status=exited', []],
    ['--filter status=exited', [setup]],
    ['--filter status=stopped', [setup]],
    ['--filter status=running', [nginx]],
    ['-a -f exited=3', [setup]],
    ['-a -f exited=0', []],
    ['-f label=app', [nginx]],
    ['-f label=app=web', [nginx]],
    ['-f label=app=db', []],
    ['-f label=a*', [nginx]],
    ['-f label!=app', []],
    ['-f label!=other', [nginx]],
    ['-f ancestor=nginx', [nginx]],
    ['-f ancestor=nginx:1.27', [nginx]],
    ['-f ancestor=docker.io/library/nginx', [nginx]],
    ['-f ancestor=dddd', [nginx]],
    ['-f ancestor=ginx', []],
    ['-f pod=web', [nginx]],
    ['-f pod=aaaa', [nginx]],
    ['-f pod=db', []],
    ['-f network=tspod', [nginx]],
    ['-f network=other', []],
    ['-f volume=html', [nginx]],
    ['-f volume=/usr/share/nginx/html', [nginx]],
    ['-f volume=/usr', []],
    ['-f restart-policy=always', [nginx]],
    ['-f restart-policy=none', []],
    ['-f until=1m', [nginx]],
    ['-f until=10m', []],
    ['-f command=ngin', [nginx]],
    ['-a -f before=web-nginx', []],
    ['-a -f since=cccc', []],
    ['-n 1', [nginx]],
    ['-l', [nginx]],
    ['--last 5', [nginx, setup]],
    ['-a --sort names', [nginx, setup]],
    ['-a --sort id', [nginx, setup]],
  ])('ps %s', async (args, names) => {
    const line = ['ps', ...args.split(' ').filter(word => word !== ''), '--format', '{{.Names}}']
    expect((await list(line)).split('\n').slice(0, -1)).toEqual(names)
  })
  test.each<[args: string, names: string[]]>([
    ['', ['web', 'job']],
    ['-f name=^w', ['web']],
    ['-f id=bb', ['job']],
    ['-f status=running', ['web']],
    ['-f status=created', ['job']],
    ['-f ctr-names=nginx', ['web']],
    ['-f ctr-ids=ccc', ['web']],
    ['-f ctr-number=0', ['job']],
    ['-f ctr-status=stopped', ['web']],
    ['-f label=app=web -f until=1h', ['job']],
    ['-f network=tspod', ['web', 'job']],
    ['--latest', ['web']],
  ])('pod ps %s', async (args, names) => {
    const line = ['pod', 'ps', ...args.split(' ').filter(word => word !== ''), '--format', '{{.Name}}']
    expect((await list(line)).split('\n').slice(0, -1)).toEqual(names)
  })
  test.each<[line: string, message: RegExp]>([
    ['ps -f foo=bar', /^foo is an invalid filter$/],
    ['ps -f foo', /^invalid filter "foo"$/],
    ['ps -f status=foo', /^unknown container state: foo: invalid argument$/],
    ['ps -f name=[', /no regular expression/],
    ['ps -f exited=x', /^exited code out of range "x"$/],
    ['ps -f until=soon', /no time and no age/],
    ['ps -f since=nope', /^no container with name or ID "nope" found: no such container$/],
    ['ps -l -n 3', /^last and latest are mutually exclusive$/],
    ['ps -q --ns', /^quiet conflicts with size and namespace$/],
    ['ps --size', /^--size is not supported$/],
    ['ps --sort foo', /^invalid argument "foo" for "--sort" flag/],
    ['ps --format {{.Foo}}', /can't evaluate field Foo in type psReporter$/],
    ['pod ps -f foo', /^filter input must be in the form of filter=value: foo is invalid$/],
    ['pod ps -f status=x', /^x is not a valid pod status$/],
    ['pod ps -q --format {{.ID}}', /^quiet and format cannot be used together$/],
  ])('%s', async (line, message) => {
    await expect(list(line)).rejects.toThrow(message)
  })
})

describe('pod ps', () => {
  test('all pods, ended ones too', async () => {
    expect(await list('pod ps')).toBe(
      'NAME   READY   STATUS      RESTARTS   AGE\n' +
        'web    1/1     Running     0          5m1s\n' +
        'job    0/1     Completed   0          3d\n',
    )
  })
  test('wide', async () => {
    expect(await list('pod ps -o wide')).toBe(
      'NAME   READY   STATUS      RESTARTS   AGE    IP          PORTS                  IMAGES                         ID\n' +
        'web    1/1     Running     0          5m1s   10.91.0.2   0.0.0.0:8080->80/tcp   docker.io/library/nginx:1.27   aaaaaaaaaaaa\n' +
        'job    0/1     Completed   0          3d                                                                       bbbbbbbbbbbb\n',
    )
  })
  test('for scripts', async () => {
    const records = JSON.parse(await list('pod ps --format json'))
    expect(records).toHaveLength(2)
    expect(records[0]).toMatchObject({
      name: 'web',
      phase: 'Running',
      status: 'Running',
      created: '2026-01-02T11:54:59.000Z',
      ips: ['10.91.0.2'],
      containers: [{ name: 'web-setup' }, { name: 'web-nginx' }],
    })
  })
})

describe('image ls', () => {
  test('newest first, a line for each name', async () => {
    expect(await list('image ls')).toBe(
      'REPOSITORY              TAG      IMAGE ID       AGE    SIZE\n' +
        '<none>                  <none>   333333333333   60s    2.13 MB\n' +
        'localhost:5000/app      2        111111111111   120m   2.13 MB\n' +
        'docker.io/library/app   <none>   111111111111   120m   2.13 MB\n' +
        'bare                    <none>   111111111111   120m   2.13 MB\n',
    )
  })
  test('for scripts, without what the image says about itself', async () => {
    const [, first] = JSON.parse(await list('images --format json'))
    const names = Object.keys(first).filter(name => /^[a-z]/.test(name))
    expect(names).toEqual(['id', 'digest', 'names', 'size', 'created'])
    expect(first).toMatchObject({
      Id: '1'.repeat(64),
      RepoTags: ['localhost:5000/app:2', 'bare'],
      Size: 2_130_000,
      Created: 1767348000,
      CreatedAt: '2026-01-02T10:00:00Z',
    })
  })
  test.each<[args: string[], text: string]>([
    [
      ['--format', '{{.Repository}}:{{.Tag}}'],
      '<none>:<none>\nlocalhost:5000/app:2\ndocker.io/library/app:<none>\nbare:<none>\n',
    ],
    [
      ['--noheading', '--format', 'table {{.ID}} {{.Size}}'],
      '333333333333  2.13 MB\n111111111111  2.13 MB\n111111111111  2.13 MB\n111111111111  2.13 MB\n',
    ],
    [['--format', '{{range .}}{{.Created}},{{end}}'], 'About a minute ago,2 hours ago,2 hours ago,2 hours ago,\n'],
  ])('images %j', async (args, text) => {
    expect(await list(['images', ...args])).toBe(text)
  })
  test('a name cannot steer the terminal', () => {
    const evil = { ...images[0]!, names: ['evil\u001b[2J\n:1'] }
    const flags = {
      quiet: false,
      noheading: false,
      'no-trunc': false,
      format: undefined,
      root: undefined,
      runroot: undefined,
    } as const
    const text = imageList([evil], { ...flags, runtime: undefined, 'log-level': undefined, help: false }, NOW_MS)
    expect(text).toContain('evil?[2J ')
    expect(text.split('\n')).toHaveLength(3)
  })
})
