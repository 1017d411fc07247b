/** The lists: what is in them, and how they look to people and to scripts. */
import { describe, expect, test } from '@jest/globals'
import { imageList } from '../../../src/cli/image-ls.ts'
import { interpret } from '../../../src/cli/interpret.ts'
import { podList } from '../../../src/cli/pod-ps.ts'
import { containerList } from '../../../src/cli/ps.ts'
import type { PodView } from '../../../src/engine/index.ts'
import type { ContainerName, Id, LocalImage, PodName } from '../../../src/model.ts'
import { containerView, NOW_MS, podView, recordedWorld } from '../../support/world.ts'

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
const pods: PodView[] = [
  podView({ containers: [setup, containerView()] }),
  podView({
    id: 'b'.repeat(64) as Id,
    name: 'job' as PodName,
    phase: 'Succeeded',
    reason: 'Completed',
    ready: 0,
    ips: [],
    createdMs: NOW_MS - 3 * 86_400_000,
    containers: [],
  }),
]

/** Runs a list command against a world that has the pods above. */
async function list(line: string): Promise<string> {
  const invocation = await interpret(line.split(' '), 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  const { world } = recordedWorld({ pods: async () => pods, images: async () => images })
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
      'NAME        POD   STATUS    RESTARTS   AGE   IMAGE                          PORTS\n' +
        'web-nginx   web   Running   0          5m    docker.io/library/nginx:1.27   0.0.0.0:8080->80/tcp\n',
    )
  })
  test('all of them, with more columns', async () => {
    expect(await list('ps -a -o wide')).toBe(
      'NAME        POD   STATUS      RESTARTS   AGE   IMAGE                          PORTS                  ID             KIND      PID    IP\n' +
        'web-setup   web   Error (3)   2          5m    docker.io/library/nginx:1.27                          eeeeeeeeeeee   init             10.91.0.2\n' +
        'web-nginx   web   Running     0          5m    docker.io/library/nginx:1.27   0.0.0.0:8080->80/tcp   cccccccccccc   regular   4321   10.91.0.2\n',
    )
  })
  test('ids', async () => {
    expect(await list('ps -q')).toBe('cccccccccccc\n')
    expect(await list('ps -aq --no-trunc')).toBe(`${'e'.repeat(64)}\n${'c'.repeat(64)}\n`)
  })
  test('for scripts: what is not known is null, and names do not change', async () => {
    const [first] = JSON.parse(await list('ps -a --format json'))
    expect(Object.keys(first)).toEqual([
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
      'restarts',
      'created',
      'started',
      'finished',
      'command',
      'ports',
      'logPath',
    ])
    expect(first).toMatchObject({ name: 'web-setup', state: 'exited', exitCode: 3, pid: null, finished: null })
    expect(await list('ps -o json')).toBe(await list('ps --format json'))
  })
  test('nothing at all is an empty list', () => {
    const flags = { all: true, quiet: false, 'no-trunc': false, output: undefined } as const
    const rest = {
      root: undefined,
      runroot: undefined,
      runtime: undefined,
      'log-level': undefined,
      help: false,
    } as const
    expect(containerList([], { ...flags, ...rest, format: 'json' }, NOW_MS)).toBe('[]\n')
    expect(podList([], { ...flags, ...rest, format: 'json' }, NOW_MS)).toBe('[]\n')
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
    expect(Object.keys(JSON.parse(await list('images --format json'))[0])).toEqual([
      'id',
      'digest',
      'names',
      'size',
      'created',
    ])
  })
  test('a name cannot steer the terminal', () => {
    const evil = { ...images[0]!, names: ['evil\u001b[2J\n:1'] }
    const flags = { quiet: false, 'no-trunc': false, format: undefined, root: undefined, runroot: undefined } as const
    const text = imageList([evil], { ...flags, runtime: undefined, 'log-level': undefined, help: false }, NOW_MS)
    expect(text).toContain('evil?[2J ')
    expect(text.split('\n')).toHaveLength(3)
  })
})
