/** The verbs about GitOps sources: what they refuse, what they ask of the engine, and how sources look. */
import { describe, expect, test } from '@jest/globals'
import { interpret } from '../../../src/cli/interpret.ts'
import type { Gitops, ReconcileWish, RunView, SourceView, SourceWish } from '../../../src/engine/index.ts'
import { TspodError } from '../../../src/errors.ts'
import { NOW_MS, recordedWorld } from '../../support/world.ts'

async function run(args: readonly string[], gitops: Partial<Gitops>) {
  const recorded = recordedWorld({ gitops: async () => gitops as Gitops }, { env: { SUDO_USER: 'ada' } })
  const invocation = await interpret(args, 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  return { ...(await invocation.verb.run(invocation.input, recorded.world)), told: recorded.err() }
}

const COMMIT = '0123456789abcdef0123456789abcdef01234567'
const source: SourceView = {
  name: 'shop',
  from: { kind: 'git', url: 'https://git.example/shop.git', ref: { branch: 'main' } },
  intervalMs: 300_000,
  prune: true,
  units: false,
  onFailure: 'keep-old',
  timeoutMs: 300_000,
  observe: false,
  applied: { revision: COMMIT, atMs: NOW_MS - 90_000, signer: 'ada@example.org' },
  seen: { revision: COMMIT, atMs: NOW_MS - 90_000 },
  attempted: { revision: COMMIT, atMs: NOW_MS - 90_000 },
  checkedMs: NOW_MS - 10_000,
  app: {
    name: 'shop',
    source: { path: '' },
    appliedMs: 0,
    health: 'Healthy',
    objects: [{ kind: 'Pod', name: 'web', hash: '', wave: 0, phase: 'Running', ready: 1, total: 1 }],
  },
}
const failing: SourceView = {
  ...source,
  seen: { revision: `f${COMMIT.slice(1)}`, atMs: NOW_MS - 5000 },
  failure: {
    stage: 'validate',
    code: 'MANIFEST_INVALID',
    message: '1 error in web.yaml',
    remedy: 'correct it',
    details: 'web.yaml:4:8 error UNKNOWN_FIELD spec.contianers',
    revision: `f${COMMIT.slice(1)}`,
    sinceMs: NOW_MS - 5000,
    times: 2,
  },
}
const suspended: SourceView = {
  ...failing,
  suspended: { reason: 'incident 7', author: 'ada', sinceMs: NOW_MS - 60_000, untilMs: NOW_MS + 60_000 },
}

describe('add', () => {
  const added = async (...flags: string[]): Promise<SourceWish | undefined> => {
    let wish: SourceWish | undefined
    await run(['gitops', 'add', 'shop', ...flags, '--watch=false'], {
      sources: async () => [],
      add: async asked => {
        wish = asked
      },
    })
    return wish
  }
  test('what is not said is the careful choice', async () => {
    expect(await added('--git', 'https://git.example/shop.git')).toEqual({
      name: 'shop',
      from: { kind: 'git', url: 'https://git.example/shop.git', ref: {} },
      intervalMs: 300_000,
      prune: true,
      units: false,
      onFailure: 'keep-old',
      timeoutMs: 300_000,
      observe: false,
    })
  })
  test('every flag is kept, paths from the current directory on', async () => {
    const flags =
      '--git ssh://host/x --tag v1 --path apps -R --interval 90s --prune=false --verify keys --rewind --unit'
    const more =
      '--on-failure rollback --timeout 30s --observe --ssh-key id --age-key age --username me --notify /a/../n --metrics /m/x.prom --vars here.env'
    expect(await added(...`${flags} ${more}`.split(' '))).toEqual({
      name: 'shop',
      from: { kind: 'git', url: 'ssh://host/x', ref: { tag: 'v1' } },
      path: 'apps',
      recursive: true,
      credentials: { sshKeyFile: '/id', ageKeyFile: '/age', username: 'me' },
      vars: '/here.env',
      intervalMs: 90_000,
      prune: false,
      verify: '/keys',
      rewind: true,
      units: true,
      onFailure: 'rollback',
      timeoutMs: 30_000,
      observe: true,
      notify: '/n',
      metrics: '/m/x.prom',
    })
  })
  test.each([
    [['shop'], 'either --dir DIR or --git URL'],
    [['shop', '--dir', 'a', '--git', 'b'], 'either --dir DIR or --git URL'],
    [['Shop', '--dir', 'a'], '"Shop" is no name'],
    [['a/../b', '--dir', 'a'], 'is no name'],
    [['shop', '--dir', 'a', '--branch', 'main'], '--branch needs --git'],
    [['shop', '--git', 'a', '--branch', 'main', '--tag', 'x'], '--branch and --tag exclude each other'],
    [['shop', '--dir', 'a', '--interval', '1s'], 'at least 10s'],
    [['shop', '--dir', 'a', '--timeout', 'soon'], 'write a time'],
    [['shop', '--dir', 'a', '--timeout', '0s'], 'at least 1s'],
    [['shop', '--dir', 'a', '--ssh-key', 'id'], '--ssh-key needs --git'],
    [['shop', '--dir', 'a', '--token-file', 't'], '--token-file needs --git'],
    [['shop', '--dir', 'a', '--path', '../b'], '"../b" for "--path" flag: it has a name that leads out'],
    [['shop', '--dir', 'a', '--path', '/b'], '"/b" for "--path" flag: it begins with /, and not in the source'],
    [['shop', '--dir', 'a', '--notify', 'tell'], '"tell" for "--notify" flag: not an absolute path'],
    [['shop', '--dir', 'a', '--metrics', 'x.prom'], '"x.prom" for "--metrics" flag: not an absolute path'],
    [['shop', '--dir', 'a', '--metrics', '/m/x.txt'], 'it does not end in .prom'],
    [['shop', '--dir', 'a', '--metrics', '/m/.prom'], 'it does not end in .prom'],
  ])('%j is refused', async (args, message) => {
    await expect(interpret(['gitops', 'add', ...args], 80)).rejects.toThrow(message)
  })
})

describe('add warns', () => {
  const said = async (others: readonly SourceView[], ...flags: string[]): Promise<string | undefined> => {
    const gitops = { add: async () => undefined, sources: async () => [...others] }
    return (await run(['gitops', 'add', 'new', '--watch=false', ...flags], gitops)).stderr
  }
  const fetched = ['--git', 'https://git.example/shop.git', '--branch', 'main']
  test('of files that are not there, and of a second source of the same manifests', async () => {
    const told = await said([source], ...fetched, '--ssh-key', '/none/id', '--verify', '/')
    expect(told?.split('\n').filter(line => line.startsWith('warning: '))).toEqual([
      'warning: there is no file /none/id: nothing can be read until it is there',
      'warning: there is no file /: nothing can be read until it is there',
      'warning: shop is a source of the same manifests: what one of the two has applied, the other cannot have',
    ])
  })
  test('of values that are not there', async () => {
    expect(await said([], ...fetched, '--vars', '/none/vars')).toContain('warning: there is no file /none/vars: ')
  })
  test.each([
    ['another branch', ['--git', 'https://git.example/shop.git', '--branch', 'other']],
    ['another path', [...fetched, '--path', 'apps']],
    ['values of its own', [...fetched, '--vars', '/etc/hostname']],
  ])('not of %s', async (_, flags) => {
    expect(await said([source], ...flags)).not.toContain('warning')
  })
  test('nothing of a name that is missing but that', async () => {
    await expect(interpret(['gitops', 'add', '--dir', 'a'], 80)).rejects.toThrow('requires at least 1 arg(s)')
  })
})

test('a plain directory has no commits that could be signed', async () => {
  const adding = run(['gitops', 'add', 'new', '--dir', '/tmp', '--verify', '/etc/hostname'], {})
  await expect(adding).rejects.toThrow('--verify is about commits, and /tmp has none')
})

test('a suspension ends in the future', async () => {
  const suspending = run(['gitops', 'suspend', 'shop', '--until', '2020-01-01'], {})
  await expect(suspending).rejects.toThrow('--until 2020-01-01 has passed: nothing would be suspended')
})

describe('reconcile', () => {
  const outcomes: [RunView['outcome'], string | undefined, number][] = [
    ['applied', undefined, 0],
    ['unchanged', undefined, 0],
    ['skipped', undefined, 0],
    ['failed', 'PARTIAL_FAILURE', 1],
    ['refused', 'MANIFEST_INVALID', 1],
    ['refused', 'GITOPS_REFUSED', 6],
  ]
  const reconciling = (run: Partial<RunView>, asked: ReconcileWish[] = []): Partial<Gitops> => ({
    sources: async () => [source],
    reconcile: async (name, wish) => {
      asked.push(wish)
      return { source: name, beganMs: 0, outcome: 'applied', reason: 'because', ...run }
    },
  })
  test.each(outcomes)('%s (%s) ends with %i', async (outcome, code, exitCode) => {
    const failure = code === undefined ? {} : { failure: { stage: 'apply' as const, code, message: 'm', remedy: 'r' } }
    expect(await run(['gitops', 'reconcile', 'shop'], reconciling({ outcome, ...failure }))).toMatchObject({ exitCode })
  })
  test.each<[string, (string | undefined)[], number]>([
    ['a failure is worse than a refusal, wherever it stands', ['GITOPS_REFUSED', 'PARTIAL_FAILURE', undefined], 1],
    ['a refusal is worse than success', [undefined, 'GITOPS_REFUSED'], 6],
  ])('of several sources %s', async (_, codes, exitCode) => {
    const names = codes.map((_code, index) => `s${index}`)
    const reconcileOne: Gitops['reconcile'] = async name => {
      const code = codes[names.indexOf(name)]
      const failure = code && { failure: { stage: 'apply' as const, code, message: 'm', remedy: 'r' } }
      const outcome = code === undefined ? 'applied' : code === 'GITOPS_REFUSED' ? 'refused' : 'failed'
      return { source: name, beganMs: 0, outcome, reason: 'because', ...failure }
    }
    const sources = async () => names.map(name => ({ ...source, name }))
    expect(await run(['gitops', 'reconcile', '--all'], { sources, reconcile: reconcileOne })).toMatchObject({
      exitCode,
    })
  })
  test('several are at work at once, four at most; what became of them is told in their order', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    let busy = 0
    let most = 0
    const reconcileOne: Gitops['reconcile'] = async (name, _, told) => {
      told('reading the source')
      most = Math.max(most, ++busy)
      // The first ends last.
      for (let turns = 10 * (names.length - names.indexOf(name)); turns > 0; turns--) await Promise.resolve()
      busy--
      if (name === 'c') throw new TspodError('LOCK_TIMEOUT', 'busy', { remedy: 'wait' })
      return { source: name, beganMs: 0, outcome: 'applied', reason: 'because' }
    }
    const sources = async () => names.map(name => ({ ...source, name }))
    const all = { sources, reconcile: reconcileOne }
    const { stdout, stderr, told, exitCode } = await run(['gitops', 'reconcile', '--all'], all)
    expect(most).toBe(4)
    expect(stdout).toBe('abdef'.replace(/./g, '$& applied: because\n'))
    expect([exitCode, stderr]).toEqual([1, 'c: Error: busy\n  wait\n'])
    const lines = told.trimEnd().split('\n')
    expect(lines.filter(line => !/^[a-f]: /.test(line))).toEqual([])
    expect(lines).toEqual(expect.arrayContaining(['e: reading the source', 'a: applied: because', 'c: busy']))
    // One that is named twice is reconciled once.
    expect((await run(['gitops', 'reconcile', 'a', 'a'], all)).stdout).toBe('a applied: because\n')
  })
  test('insists where a person names it, and not for a timer', async () => {
    const asked: ReconcileWish[] = []
    await run(['gitops', 'reconcile', 'shop', '--allow-prune', '3', '--confirm-prune'], reconciling({}, asked))
    await run(['gitops', 'reconcile', '--quiet', 'shop'], reconciling({}, asked))
    await run(['gitops', 'reconcile', '--all'], reconciling({}, asked))
    expect(asked).toEqual([
      { insist: true, allowPrune: 3, confirmPrune: true, rewind: false },
      { insist: false, confirmPrune: false, rewind: false },
      { insist: false, confirmPrune: false, rewind: false },
    ])
  })
  test('says what became of each object, and what is wrong', async () => {
    const { stdout } = await run(
      ['gitops', 'reconcile', 'shop'],
      reconciling({
        outcome: 'failed',
        revision: COMMIT,
        results: [
          { kind: 'Pod', name: 'a', outcome: 'unchanged' },
          { kind: 'Pod', name: 'b', outcome: 'failed', message: 'never\u001b[2J ready' },
        ],
        failure: { stage: 'apply', code: 'X', message: 'm', remedy: 'look' },
      }),
    )
    expect(stdout).toBe('pod/b failed: never?[2J ready\nshop failed at 0123456789ab: because\n  look\n')
  })
  test('needs names, or --all', async () => {
    await expect(interpret(['gitops', 'reconcile'], 80)).rejects.toThrow('name sources, or say --all')
    await expect(interpret(['gitops', 'reconcile', '--all', 'shop'], 80)).rejects.toThrow('name sources, or say --all')
  })
})

describe('status', () => {
  const shown = (view: SourceView) => run(['gitops', 'status', 'shop'], { list: async () => [view] })
  test('all is well', async () => {
    const { stdout, exitCode } = await shown(source)
    expect(exitCode).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
"shop
     Status: Ready
     Source: https://git.example/shop.git@main
    Applied: 0123456789ab 90s ago, signed by ada@example.org
    Checked: 10s ago
       Next: by hand: nobody reconciles it by itself
     Health: Healthy

  OBJECT    STATUS    READY
  pod/web   Running   1/1
"
`)
  })
  test('a failure has its place, and what runs is told beside what was seen', async () => {
    const { stdout, exitCode } = await shown(failing)
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/Seen: f123456789ab/)
    expect(stdout).toMatch(/Failure: validate at f123456789ab, since 5s ago, 2 times\n {4}web\.yaml:4:8 error/)
  })
  test('objects whose drift is ignored are named, and all is well', async () => {
    const { stdout, exitCode } = await shown({ ...source, driftIgnored: ['pod/web', 'secret/keys'] })
    expect(exitCode).toBe(0)
    expect(stdout).toContain(' Left alone: pod/web, secret/keys: drift ignored\n')
  })
  test('a suspension is loud, whatever else is wrong', async () => {
    const { stdout, exitCode } = await shown(suspended)
    expect(exitCode).toBe(3)
    expect(stdout).toMatch(
      /Status: SUSPENDED: .*\n +Suspended: by ada 60s ago, until 2026-01-02T12:01:00.000Z: incident 7/,
    )
  })
  test('one that has run out is none', async () => {
    const over = { ...source, suspended: { reason: 'x', author: 'a', sinceMs: 0, untilMs: NOW_MS } }
    expect((await shown(over)).exitCode).toBe(0)
  })
  test('as JSON, with times that people and programs read', async () => {
    const told = { ...suspended, notify: '/n', metrics: '/m/x.prom' }
    const { stdout = '' } = await run(['gitops', 'list', '--format', 'json'], { list: async () => [told] })
    expect(JSON.parse(stdout)[0]).toMatchObject({
      notify: '/n',
      metrics: '/m/x.prom',
      name: 'shop',
      status: 'Suspended',
      applied: { revision: COMMIT, at: '2026-01-02T11:58:30.000Z', signer: 'ada@example.org' },
      suspended: { until: '2026-01-02T12:01:00.000Z' },
      failure: { code: 'MANIFEST_INVALID', times: 2 },
    })
  })
})

test('metrics are printed as they are', async () => {
  const text = '# HELP a b\n# TYPE a gauge\na{source="shop"} 1\n'
  expect(await run(['gitops', 'metrics'], { metrics: async () => text })).toMatchObject({ stdout: text })
})

describe('diff', () => {
  const differing = (action: 'unchanged' | 'configure' | 'keep'): Partial<Gitops> => ({
    plan: async () => ({
      revision: COMMIT,
      notes: [],
      plan: {
        app: 'shop',
        objects: [
          {
            kind: 'Pod',
            name: 'web',
            action,
            effect: action === 'configure' ? 'restart' : 'none',
            because: ['its image is another'],
            changes: [{ path: 'spec.containers[0].image', before: 'a', after: 'b' }],
            outageMs: 1500,
            wave: 0,
          },
        ],
      },
    }),
  })
  test.each([
    ['unchanged', 0],
    ['keep', 0],
    ['configure', 1],
  ] as const)('%s ends with %i', async (action, exitCode) => {
    expect(await run(['gitops', 'diff', 'shop'], differing(action))).toMatchObject({ exitCode })
  })
  test('shows the reason, the fields and the outage', async () => {
    const { stdout } = await run(['gitops', 'diff', 'shop'], differing('configure'))
    expect(stdout).toBe(
      '~ pod/web configure (restart), about 2 s without it\n    its image is another\n    spec.containers[0].image: a -> b\n',
    )
  })
})

test('a suspension has its author and its end; "2h" means two hours from now', async () => {
  const asked: object[] = []
  const gitops: Partial<Gitops> = { suspend: async (_, suspension) => void asked.push(suspension) }
  await run(['gitops', 'suspend', 'shop', '--reason', 'incident 7', '--until', '2h'], gitops)
  await run(['gitops', 'suspend', 'shop'], gitops)
  expect(asked).toEqual([
    { reason: 'incident 7', author: 'ada', untilMs: NOW_MS + 7_200_000 },
    { reason: 'no reason given', author: 'ada' },
  ])
  await expect(interpret(['gitops', 'suspend', 'shop', '--until', 'later'], 80)).rejects.toThrow('no time')
})

test('removal leaves the source where something could not be removed', async () => {
  const gitops: Partial<Gitops> = {
    history: async () => [],
    remove: async () => ({ failures: ['pod web: busy'] }),
  }
  const outcome = await run(['gitops', 'remove', 'shop', '--prune'], gitops)
  expect(outcome).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('pod web: busy') })
})
