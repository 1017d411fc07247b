import { describe, expect, test } from '@jest/globals'
import { failureText } from '../../../src/cli/failure.ts'
import { interpret } from '../../../src/cli/interpret.ts'
import type { Engine, EventRequest, EventView } from '../../../src/engine/index.ts'
import { NOW_MS, recordedWorld } from '../../support/world.ts'

const event = (overrides: Partial<EventView> = {}): EventView => ({
  atMs: NOW_MS - 90_000,
  kind: 'container',
  action: 'died',
  reason: 'Error',
  warning: true,
  object: 'c'.repeat(64),
  name: 'web-nginx',
  podId: 'a'.repeat(64),
  podName: 'web',
  message: 'gave up',
  facts: { image: 'nginx:1', exitCode: '3' },
  labels: { app: 'web' },
  ...overrides,
})

const HISTORY: EventView[] = [
  event({ kind: 'image', action: 'pull', reason: 'Pulled', object: 'd'.repeat(64), name: 'nginx:1', warning: false }),
  event({ kind: 'pod', action: 'create', reason: 'Created', object: 'a'.repeat(64), name: 'web', facts: {} }),
  event({ action: 'init', reason: '', facts: { image: 'nginx:1' } }),
  event(),
  event({
    kind: 'volume',
    action: 'create',
    reason: '',
    object: 'data',
    name: 'data',
    labels: { tier: 'db' },
    facts: {},
  }),
  event({ kind: 'secret', action: 'create', reason: '', object: '5e', name: 'key', labels: {}, facts: {} }),
]

async function run(...line: string[]): Promise<{ text: string; request: EventRequest | undefined }> {
  let request: EventRequest | undefined
  const engine: Partial<Engine> = {
    async *events(asked) {
      request = asked
      yield* HISTORY
    },
  }
  const invocation = await interpret(['events', ...line], 80)
  if (invocation.kind === 'text') throw new Error('only text')
  const { world, out } = recordedWorld(engine)
  const outcome = await invocation.verb.run(invocation.input, world)
  expect(outcome).toEqual({})
  return { text: out(), request }
}

const complaint = async (...line: string[]): Promise<string> =>
  run(...line).then(
    () => 'no mistake',
    error => failureText(error).text,
  )

describe('the time that is asked for', () => {
  const cases: Record<string, EventRequest> = {
    '': { past: false, follow: true },
    '-f': { past: false, follow: true },
    '--follow': { past: false, follow: true },
    '--stream=false': { past: true, follow: false },
    '--since 10m': { past: true, follow: true, sinceMs: NOW_MS - 600_000 },
    '--since 10m -f': { past: true, follow: true, sinceMs: NOW_MS - 600_000 },
    '--since 1h30m --until 30m --stream=false': {
      past: true,
      follow: false,
      sinceMs: NOW_MS - 5_400_000,
      untilMs: NOW_MS - 1_800_000,
    },
    '--until +10m': { past: true, follow: true, untilMs: NOW_MS + 600_000 },
    '--since 1700000000 --stream=0': { past: true, follow: false, sinceMs: 1_700_000_000_000 },
    '--since 2026-01-02T10:00:00Z --stream=false': { past: true, follow: false, sinceMs: NOW_MS - 7_200_000 },
  }
  for (const [line, wanted] of Object.entries(cases)) {
    test(`events ${line}`, async () => {
      expect((await run(...line.split(' ').filter(Boolean))).request).toEqual(wanted)
    })
  }
})

describe('what is shown of which events', () => {
  const names = async (...filters: string[]): Promise<string> => {
    const { text } = await run('--format', '{{.Type}}-{{.Status}}', ...filters.flatMap(one => ['-f', one]))
    return text.trim().replaceAll('\n', ' ')
  }
  const cases: [filters: string[], shown: string][] = [
    [[], 'image-pull pod-create container-init container-died volume-create secret-create'],
    [['container=web-nginx'], 'container-init container-died'],
    [['container=ccc'], 'container-init container-died'],
    [['container=web'], ''],
    [['pod=web'], 'pod-create'],
    [['image=nginx:1'], 'image-pull'],
    [['volume=data'], 'volume-create'],
    [['event=create', 'event=died'], 'pod-create container-died volume-create secret-create'],
    [['status=create', 'type=pod'], 'pod-create'],
    [['label=app'], 'image-pull pod-create container-init container-died'],
    [['label=app=web', 'label=tier=db'], ''],
    [['label=tier=db'], 'volume-create'],
    [['reason=Error'], 'container-died'],
    [['name=key'], 'secret-create'],
  ]
  for (const [filters, shown] of cases) {
    test(`${filters.join(' and ') || 'no filter'}: ${shown || 'nothing'}`, async () => {
      expect(await names(...filters)).toBe(shown)
    })
  }
})

describe('forms', () => {
  test("Podman's lines", async () => {
    const id = 'c'.repeat(64)
    const pod = 'a'.repeat(64)
    expect((await run()).text).toBe(
      [
        `2026-01-02 11:58:30 +0000 UTC image pull ${'d'.repeat(64)} nginx:1`,
        `2026-01-02 11:58:30 +0000 UTC pod create ${pod} (image=, name=web, app=web)`,
        `2026-01-02 11:58:30 +0000 UTC container init ${id} (image=nginx:1, name=web-nginx, pod_id=${pod}, app=web)`,
        `2026-01-02 11:58:30 +0000 UTC container died ${id} (image=nginx:1, name=web-nginx, pod_id=${pod}, app=web, exitCode=3)`,
        '2026-01-02 11:58:30 +0000 UTC volume create data',
        '2026-01-02 11:58:30 +0000 UTC secret create 5e',
        '',
      ].join('\n'),
    )
    expect((await run('--no-trunc=false', '-f', 'event=died')).text).toMatch(/container died c{12} /)
  })
  test("one JSON object a line, with Podman's names", async () => {
    const { text } = await run('--format', '{{json .}}', '-f', 'event=died')
    expect(text.endsWith('}\n')).toBe(true)
    expect(text).toContain('"timeNano":1767355110000000000,')
    expect(JSON.parse(text)).toEqual({
      ContainerExitCode: 3,
      ID: 'c'.repeat(64),
      Image: 'nginx:1',
      Name: 'web-nginx',
      Status: 'died',
      time: 1_767_355_110,
      timeNano: 1_767_355_110_000_000_000,
      Type: 'container',
      Attributes: { app: 'web' },
      PodID: 'a'.repeat(64),
      PodName: 'web',
      Reason: 'Error',
      Message: 'gave up',
      Warning: true,
    })
    expect((await run('--format', 'json')).text.trimEnd().split('\n')).toHaveLength(HISTORY.length)
  })
  test("kubectl's table has what Kubernetes has a reason for", async () => {
    expect((await run('-o', 'table')).text).toBe(
      [
        'LAST SEEN TYPE    REASON            OBJECT                        MESSAGE',
        '90s       Normal  Pulled            image/nginx:1                 gave up',
        '90s       Warning Created           pod/web                       gave up',
        '90s       Warning Error             container/web-nginx           gave up',
        '',
      ].join('\n'),
    )
  })
})

describe('mistakes', () => {
  const cases: [line: string[], message: RegExp][] = [
    [['--since', 'yesterday'], /^Error: invalid argument "yesterday" for "--since" flag/],
    [['--filter', 'colour=red'], /^Error: colour is an invalid filter/],
    [['-f', '--since', '10m'], /--since is an invalid filter/],
    [['--filter'], /^Error: flag needs an argument: --filter/],
    [['--follow', '--stream=false'], /exclude each other/],
    [['--format', 'json', '-o', 'table'], /exclude each other/],
    [['--format', '{{.Nothing}}'], /Nothing/],
  ]
  for (const [line, message] of cases) {
    test(`events ${line.join(' ')}`, async () => expect(await complaint(...line)).toMatch(message))
  }
})
