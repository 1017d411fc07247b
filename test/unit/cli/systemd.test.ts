/** What the verbs about units ask of systemd and of the engine, and what they make of the answers. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { lingerCheck } from '../../../src/cli/doctor.ts'
import { interpret } from '../../../src/cli/interpret.ts'
import { filled } from '../../../src/cli/systemd/install.ts'
import type { Outcome, World } from '../../../src/cli/verb.ts'
import type { DownRequest, Engine, PlayOptions } from '../../../src/engine/index.ts'
import { TspodError } from '../../../src/errors.ts'
import { type Linger, lingerOf } from '../../../src/systemd/linger.ts'
import { type Units, unitState } from '../../../src/systemd/units.ts'
import { recordedWorld } from '../../support/world.ts'

let home: string
let folder: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tspod-units-'))
  folder = join(home, 'etc/kube')
  mkdirSync(folder, { recursive: true })
})
afterEach(() => rmSync(home, { recursive: true }))

const podText = (name: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: c, image: x}]}\n`
const manifest = (name: string, text = podText(name)): string => {
  writeFileSync(join(folder, `${name}.yaml`), text)
  return join(folder, `${name}.yaml`)
}
const withOptions = (name: string, text: string): void => writeFileSync(join(folder, `${name}.conf`), text)

type Asked = { plays: PlayOptions[]; downs: DownRequest[]; forces: boolean[] }

/** Runs a command line with an engine that takes everything and a systemd that answers as `units` says. */
async function run(args: string[], units: Partial<Units> = {}, engine: Partial<Engine> = {}) {
  const asked: Asked = { plays: [], downs: [], forces: [] }
  const all: Partial<Engine> = {
    storedSecrets: async () => () => undefined,
    pods: async () => [],
    play: async (_, options) => {
      asked.plays.push(options)
      return { volumes: [], secrets: [], pods: [] }
    },
    down: async (request, { force }) => {
      asked.downs.push(request)
      asked.forces.push(force)
      return { stopped: [], removed: [], secrets: [], volumes: [], failures: [] }
    },
    ...engine,
  }
  const overrides: Partial<World> = {
    cwd: folder,
    env: { HOME: home },
    paths: {
      root: join(home, 'root'),
      runRoot: join(home, 'run'),
      logRoot: join(home, 'log'),
      config: join(home, 'etc'),
    },
    units: async () => ({ close: () => undefined, ...units }) as Units,
  }
  const { world, err } = recordedWorld(all, overrides)
  const invocation = await interpret(args, 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  const outcome: Outcome = await invocation.verb.run(invocation.input, world)
  return { ...outcome, told: err(), asked }
}

const state = (values: Record<string, unknown>) =>
  unitState(
    'tspod-kube@web.service',
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }])),
  )

describe('what a unit runs', () => {
  const played = () => {
    const files = readdirSync(join(home, 'run'))
    expect(files).toEqual(['unit:web'])
    return JSON.parse(readFileSync(join(home, 'run', files[0] ?? ''), 'utf8')) as { text: string }[]
  }

  test('play replaces what is there, under a service container, with the options beside the manifest', async () => {
    manifest('web')
    withOptions('web', '[Kube]\nNetwork=none\nExitCodePropagation=all\nPodmanArgs=--no-hosts\n')
    const { asked } = await run(['systemd', 'run', 'play', '--', 'web'])
    expect(asked.plays).toMatchObject([
      { replace: true, networks: ['none'], noHosts: true, service: { propagation: 'all' }, start: true },
    ])
    expect(played().map(({ text }) => text)).toEqual([podText('web')])
  })

  test('an escaped path has its options in FILE.conf', async () => {
    const path = manifest('web')
    writeFileSync(join(home, 'a b.yaml'), readFileSync(path))
    writeFileSync(join(home, 'a b.yaml.conf'), '[Kube]\nNetwork=none\n')
    const escaped = `${home}/a b.yaml`.replace(/-/g, '\\x2d').replaceAll('/', '-').replace(' ', '\\x20')
    const { asked } = await run(['systemd', 'run', 'play', '--', escaped])
    expect(asked.plays).toMatchObject([{ networks: ['none'] }])
  })

  test.each([
    ['--wait', /--wait, which is not for units/],
    ['--start=false', /--start/],
    ['--root /x', /--root/],
    ['--help', /--help/],
    ['other.yaml', /a word that is no flag/],
    ['--nonsense', /unknown flag: --nonsense/],
  ])('PodmanArgs=%s is refused', async (args, why) => {
    manifest('web')
    withOptions('web', `[Kube]\nPodmanArgs=${args}\n`)
    await expect(run(['systemd', 'run', 'play', '--', 'web'])).rejects.toThrow(why)
  })

  test('options with mistakes are named with their places, and nothing is played', async () => {
    manifest('web')
    withOptions('web', '[Kube]\nNetwrk=x\nKubeDownForce=2\n')
    await expect(run(['systemd', 'run', 'play', '--', 'web'])).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      details: expect.stringMatching(/web\.conf:2:8 unknown key Netwrk=.*web\.conf:3:15 KubeDownForce=2/s),
    })
  })

  test('stop takes down what was played, whatever the file says by now, and once', async () => {
    const path = manifest('web')
    withOptions('web', '[Kube]\nKubeDownForce=yes\n')
    await run(['systemd', 'run', 'play', '--', 'web'])
    rmSync(path)
    const { asked } = await run(['systemd', 'run', 'stop', '--', 'web'])
    expect(asked).toMatchObject({ downs: [{ pods: ['web'] }], forces: [true] })
    // By then it is only asked what the records know of the unit.
    expect((await run(['systemd', 'run', 'stop', '--', 'web'])).asked.downs.map(({ pods }) => pods)).toEqual([[]])
  })

  test('a text that nobody can read has made nothing', async () => {
    manifest('web', 'oops: [')
    await expect(run(['systemd', 'run', 'play', '--', 'web'])).rejects.toThrow()
    const { asked, exitCode } = await run(['systemd', 'run', 'stop', '--', 'web'])
    expect({ downs: asked.downs.map(({ pods }) => pods), exitCode }).toEqual({ downs: [[]], exitCode: 0 })
    expect(existsSync(join(home, 'run/unit:web'))).toBe(false)
  })

  test('a stop that leaves something is not forgotten, and broken options do not keep it from happening', async () => {
    manifest('web')
    await run(['systemd', 'run', 'play', '--', 'web'])
    withOptions('web', '[Kube]\nx=1\n')
    const failures = [{ object: 'web', message: 'busy' }]
    const stuck = { stopped: [], removed: [], secrets: [], volumes: [], failures }
    const first = await run(['systemd', 'run', 'stop', '--', 'web'], {}, { down: async () => stuck })
    expect(first).toMatchObject({ exitCode: 125, told: expect.stringContaining('has 1 mistakes') })
    expect((await run(['systemd', 'run', 'stop', '--', 'web'])).asked.downs).toMatchObject([{ pods: ['web'] }])
  })

  test('reload removes what the manifest no longer names, after the new one is up', async () => {
    manifest('web', `${podText('a')}---\n${podText('b')}`)
    await run(['systemd', 'run', 'play', '--', 'web'])
    manifest('web', podText('b'))
    const { asked } = await run(['systemd', 'run', 'reload', '--', 'web'])
    expect(asked).toMatchObject({ plays: [{ replace: true }], downs: [{ pods: ['a'] }], forces: [false] })
    expect(played().map(({ text }) => text)).toEqual([podText('b')])
  })

  test('a reload that fails leaves the unit knowing both', async () => {
    manifest('web', podText('a'))
    await run(['systemd', 'run', 'play', '--', 'web'])
    manifest('web', podText('b'))
    const play = async (): Promise<never> => {
      throw new TspodError('PORT_IN_USE', 'port 80', { remedy: 'x' })
    }
    await expect(run(['systemd', 'run', 'reload', '--', 'web'], {}, { play })).rejects.toThrow('port 80')
    const { asked } = await run(['systemd', 'run', 'stop', '--', 'web'])
    expect(asked.downs).toMatchObject([{ pods: ['a', 'b'] }])
  })
})

describe('start, stop, enable', () => {
  test('the manifest must be there to be started, not to be stopped', async () => {
    const done: string[] = []
    const units: Partial<Units> = {
      show: async () => state({ LoadState: 'loaded' }),
      act: async (action, unit) => void done.push(`${action} ${unit}`),
      enable: async () => [{ kind: 'symlink', path: '/w/x', target: '/l/x' }],
    }
    expect(await run(['systemd', 'start', 'web'], units)).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining(
        `open ${folder}/web.yaml: no such file or directory\n  put the manifest of "web"`,
      ),
    })
    expect(await run(['systemd', 'stop', 'web'], units)).toMatchObject({ stdout: 'tspod-kube@web.service\n' })
    manifest('web')
    const enabled = await run(['systemd', 'enable', '--now', 'web'], units)
    expect(enabled).toMatchObject({ stdout: 'tspod-kube@web.service\n', told: 'Created symlink /w/x → /l/x\n' })
    expect(done).toEqual(['stop tspod-kube@web.service', 'start tspod-kube@web.service'])
  })

  test('of a masked unit the pods are taken down first: systemd no longer knows how', async () => {
    manifest('web')
    await run(['systemd', 'run', 'play', '--', 'web'])
    const masked = async () => state({ LoadState: 'masked', ActiveState: 'active' })
    const { asked } = await run(['systemd', 'stop', 'web'], { show: masked, act: async () => undefined })
    expect(asked.downs).toMatchObject([{ pods: ['web'] }])
  })

  test('a template that systemd does not know leads to the verb that installs it', async () => {
    manifest('web')
    const act = async (): Promise<never> => {
      throw new TspodError('COMMAND_FAILED', 'systemd: start x: Unit tspod-kube@web.service not found.', { remedy: '' })
    }
    expect((await run(['systemd', 'start', 'web'], { act })).stderr).toContain('tspod systemd install')
  })
})

describe('looking', () => {
  test('status tells what runs, and by its exit code whether it does', async () => {
    manifest('web')
    const show = async () =>
      state({ Description: 'web', LoadState: 'loaded', ActiveState: 'failed', SubState: 'failed', Result: 'timeout' })
    const { stdout, exitCode } = await run(['systemd', 'status', 'web'], { show })
    expect(exitCode).toBe(3)
    expect(stdout).toBe(
      [
        'tspod-kube@web.service - web',
        `    Manifest: ${folder}/web.yaml`,
        '      Loaded: loaded',
        '      Active: failed (failed)',
        '      Status: it took too long',
        '',
      ].join('\n'),
    )
    const gone = async () => state({ LoadState: 'not-found', ActiveState: 'inactive' })
    expect((await run(['systemd', 'status', 'web'], { show: gone })).exitCode).toBe(4)
  })

  test('list has manifests by name and units that are loaded', async () => {
    manifest('web')
    manifest('.hidden')
    const listed = { unit: 'tspod-kube@-srv-x.yaml.service', description: '', load: '', active: '', sub: '' }
    const show = async () => state({ LoadState: 'loaded', ActiveState: 'inactive' })
    const { stdout = '' } = await run(['systemd', 'list', '--format', 'json'], { list: async () => [listed], show })
    expect((JSON.parse(stdout) as { name: string }[]).map(({ name }) => name)).toEqual(['/srv/x.yaml', 'web'])
  })
})

describe('install', () => {
  const units: Partial<Units> = { reload: async () => undefined, list: async () => [], disable: async () => [] }
  const path = () => join(home, '.config/systemd/user/tspod-kube@.service')

  test('writes what calls this very tspod, again too, and removes nothing of others', async () => {
    const installed = await run(['systemd', 'install', '--user'], units)
    const gitops = ['service', 'timer', 'path'].map(kind => path().replace('kube@.service', `gitops@.${kind}`))
    expect(installed.stdout).toBe([path(), ...gitops, ''].join('\n'))
    await run(['systemd', 'install', '--user'], units)
    const text = readFileSync(path(), 'utf8')
    expect(text).toContain('ExecStart=:/usr/local/lib/tspod/bin/tspod systemd run --user play -- %i\n')
    expect(text).not.toContain('@TSPOD@')
    const active = { unit: 'tspod-kube@web.service', description: '', load: '', active: 'active', sub: '' }
    await expect(run(['systemd', 'uninstall', '--user'], { ...units, list: async () => [active] })).rejects.toThrow(
      'still running: tspod-kube@web.service',
    )
    expect((await run(['systemd', 'uninstall', '--user'], units)).stdout).toBe(installed.stdout)
    expect(existsSync(path())).toBe(false)
    writeFileSync(path(), '[Unit]\n')
    await expect(run(['systemd', 'install', '--user'], units)).rejects.toThrow('was not written by tspod')
    expect((await run(['systemd', 'uninstall', '--user'], units)).stderr).toBe('nothing was installed\n')
  })

  test('without systemd the files are written, and that it was not told is said', async () => {
    const reload = async (): Promise<never> => {
      throw new TspodError('HOST_LACKS', 'no bus', { remedy: '' })
    }
    const { stderr } = await run(['systemd', 'install', '--user'], { reload })
    expect(stderr).toBe('warning: systemd was not told: no bus\n')
  })

  test('a path with blanks and signs of systemd is one word of the command line', () => {
    expect(filled('ExecStart=:@TSPOD@ @HOME@/x', '/a b/50%/"q"/tspod')).toBe(
      'ExecStart=:/a\\x20b/50%%/\\x22q\\x22/tspod /a\\x20b/50%%/x',
    )
  })
})

describe('import', () => {
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, '..', name), text)
    return join(folder, '..', name)
  }
  test('links to the manifest, keeps options and a drop-in, and does not replace what is another', async () => {
    write('app.yaml', podText('app'))
    const kube = write(
      'shop.kube',
      '[Unit]\nAfter=x.service\n[Kube]\nYaml=app.yaml\nNetwork=none\nAutoUpdate=registry\n',
    )
    write('db.container', '')
    const config = join(home, '.config')
    const paths = [
      'tspod/kube/shop.yaml',
      'tspod/kube/shop.conf',
      'systemd/user/tspod-kube@shop.service.d/quadlet.conf',
    ]
    const units: Partial<Units> = { reload: async () => undefined }
    const dry = await run(['systemd', 'import', '--user', '--dry-run', kube])
    expect(dry.stdout).toMatch(/shop\.yaml → .*app\.yaml\n\n# .*shop\.conf\n# From .*\n\[Kube\]\nNetwork=none\n/)
    expect(existsSync(join(config, 'tspod'))).toBe(false)
    const done = await run(['systemd', 'import', '--user', join(folder, '..')], units)
    expect(done.stdout).toBe(paths.map(path => `${join(config, path)}\n`).join(''))
    expect(done.stderr).toMatch(/db\.container is not imported.*\n.*shop\.kube:6:12 AutoUpdate= is not kept/)
    expect(readFileSync(join(config, 'tspod/kube/shop.yaml'), 'utf8')).toBe(podText('app'))
    expect(readFileSync(join(config, paths[2] ?? ''), 'utf8')).toContain('[Unit]\nAfter=x.service\n')
    await run(['systemd', 'import', '--user', kube], units)
    writeFileSync(join(config, 'tspod/kube/shop.conf'), '# mine\n')
    await expect(run(['systemd', 'import', '--user', kube], units)).rejects.toThrow(/there already: .*shop\.conf$/)
    await run(['systemd', 'import', '--user', '--replace', '--copy', kube], units)
    expect(lstatSync(join(config, 'tspod/kube/shop.yaml')).isFile()).toBe(true)
  })

  test.each([
    ['app.yaml', /no \.kube file/],
    ['nothing', /no such file or directory/],
    ['etc/kube', /no \.kube file in/],
  ])('%s is nothing to import', async (name, why) => {
    write('app.yaml', podText('app'))
    const path = name === 'app.yaml' ? join(folder, '..', name) : join(home, name)
    await expect(run(['systemd', 'import', '--user', path])).rejects.toThrow(why)
  })
})

test.each<[linger: Linger | undefined, status: string, found: string]>([
  [undefined, 'ok', 'no systemd, no units'],
  [{ units: [], lingers: false }, 'ok', 'ann has enabled no units'],
  [{ units: ['tspod-kube@web.service'], lingers: true }, 'ok', 'units of ann run without a login'],
  [
    { units: ['tspod-kube@web.service'], lingers: false },
    'warn',
    'only while ann is logged in: tspod-kube@web.service',
  ],
])('doctor looks at who lingers: %j', (linger, status, found) => {
  expect(lingerCheck(linger, 'ann')).toMatchObject({ status, found })
})

test('who lingers and what is enabled is read from the disk', () => {
  const wants = join(home, 'units/default.target.wants')
  mkdirSync(wants, { recursive: true })
  writeFileSync(join(wants, 'tspod-kube@web.service'), '')
  writeFileSync(join(wants, 'other.service'), '')
  writeFileSync(join(home, 'ann'), '')
  expect(lingerOf('ann', join(home, 'units'), home)).toEqual({ units: ['tspod-kube@web.service'], lingers: true })
  expect(lingerOf('bob', join(home, 'none'), home)).toEqual({ units: [], lingers: false })
})
