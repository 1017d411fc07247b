import { describe, expect, test } from '@jest/globals'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { failureText } from '../../../src/cli/failure.ts'
import { interpret } from '../../../src/cli/interpret.ts'
import { VERSION } from '../../../src/version.ts'

/** What would be run: the command's name, its operands and the values that were given. */
async function read(line: string) {
  const invocation = await interpret(line.split(' ').filter(Boolean), 80)
  if (invocation.kind === 'text') return { text: invocation.text }
  return { name: invocation.command.name, operands: invocation.input.operands, flags: invocation.input.flags }
}

async function complaint(line: string): Promise<string> {
  const failure = await interpret(line.split(' ').filter(Boolean), 80).catch((error: unknown) => failureText(error))
  if ('kind' in failure) throw new Error(`${line} is no mistake`)
  expect(failure.exitCode).toBe(125)
  return failure.text
}

describe('what is meant', () => {
  const cases: Record<string, { name: string; operands?: string[]; flags?: object }> = {
    'kube play a.yaml b.yaml': { name: 'kube play', operands: ['a.yaml', 'b.yaml'] },
    'play kube -': { name: 'kube play', operands: ['-'] },
    'kube play --replace a.yaml --start=false': {
      name: 'kube play',
      operands: ['a.yaml'],
      flags: { replace: true, start: false },
    },
    'kube play --configmap a,b.yaml -q c.yaml': {
      name: 'kube play',
      operands: ['c.yaml'],
      flags: { configmap: ['a,b.yaml'], quiet: true },
    },
    'kube down --force a.yaml': { name: 'kube down', operands: ['a.yaml'], flags: { force: true } },
    '--root /r ps -aq': { name: 'ps', flags: { root: '/r', all: true, quiet: true } },
    'ps --root /r': { name: 'ps', flags: { root: '/r' } },
    '--runtime runc kube --root /r play a.yaml': {
      name: 'kube play',
      operands: ['a.yaml'],
      flags: { runtime: 'runc', root: '/r' },
    },
    'pod ls': { name: 'pod ps' },
    'pod list -o wide': { name: 'pod ps', flags: { output: 'wide' } },
    images: { name: 'image ls' },
    'pull nginx': { name: 'image pull', operands: ['nginx'] },
    'exec -it web sh -c ls --help': {
      name: 'exec',
      operands: ['web', 'sh', '-c', 'ls', '--help'],
      flags: { tty: true, help: false },
    },
    'exec web -- ls -l': { name: 'exec', operands: ['web', '--', 'ls', '-l'] },
    'logs -f --tail 5 web': { name: 'logs', operands: ['web'], flags: { follow: true, tail: 5 } },
    'container cleanup 1f': { name: 'container cleanup', operands: ['1f'] },
  }
  for (const [line, { name, operands, flags }] of Object.entries(cases)) {
    test(line, async () => {
      expect(await read(line)).toMatchObject({ name, operands: operands ?? [], ...(flags && { flags }) })
    })
  }
})

describe('complaints, in the words of Podman and cobra', () => {
  const cases: Record<string, string> = {
    '': "Error: missing command 'tspod COMMAND'\n  see `tspod --help`\n",
    kube: "Error: missing command 'tspod kube COMMAND'\n  see `tspod kube --help`\n",
    frobnicate: 'Error: unknown command "frobnicate" for "tspod"\n  see `tspod --help`\n',
    lgos: 'Error: unknown command "lgos" for "tspod"\n  did you mean `tspod logs`?\n  see `tspod --help`\n',
    'kube plya':
      'Error: unknown command "plya" for "tspod kube"\n  did you mean `tspod kube play`?\n  see `tspod kube --help`\n',
    'help frobnicate': 'Error: unknown command "frobnicate" for "tspod"\n  see `tspod --help`\n',
    'container clean': 'Error: unknown command "clean" for "tspod container"\n  see `tspod container --help`\n',
    '--bogus ps': 'Error: unknown flag: --bogus\n  see `tspod --help`\n',
    'ps --al': 'Error: unknown flag: --al\n  did you mean --all?\n  see `tspod ps --help`\n',
    'ps x': 'Error: accepts at most 0 arg(s), received 1\n  usage: tspod ps [options]\n  see `tspod ps --help`\n',
    'play kube':
      'Error: requires at least 1 arg(s), only received 0\n  usage: tspod play kube [options] FILE [FILE...]|URL|-\n  see `tspod play kube --help`\n',
    'kube play --force a.yaml': 'Error: --force may be specified only with --down\n  see `tspod kube play --help`\n',
    'kube play --annotation a a.yaml':
      'Error: annotation "a" must include an \'=\' sign\n  see `tspod kube play --help`\n',
    'kube play - a.yaml':
      'Error: "-" reads standard input and must be the only source\n  put everything in one stream: (cat a.yaml; echo ---; cat b.yaml) | tspod kube play -\n  see `tspod kube play --help`\n',
    'kube play --ip 1.2.3 --mac-address x --log-opt y --start=perhaps':
      'Error: invalid argument "perhaps" for "--start" flag: want true or false\n' +
      'Error: requires at least 1 arg(s), only received 0\n  usage: tspod kube play [options] FILE [FILE...]|URL|-\n' +
      'Error: log option "y" must include an \'=\' sign\n' +
      'Error: invalid argument "1.2.3" for "--ip" flag: not an IP address\n' +
      'Error: invalid argument "x" for "--mac-address" flag: not a MAC address such as 02:00:00:00:00:01\n' +
      'Error: 5 mistakes in the command line\n  see `tspod kube play --help`\n',
    'exec -e KEY -w here web ls':
      'Error: invalid argument "KEY" for "-e, --env" flag: want KEY=VALUE\n  write -e KEY="$KEY"\n' +
      'Error: invalid argument "here" for "-w, --workdir" flag: want an absolute path\n' +
      'Error: 2 mistakes in the command line\n  see `tspod exec --help`\n',
    'exec web --':
      'Error: must provide a non-empty command to start an exec session: invalid argument\n  see `tspod exec --help`\n',
  }
  for (const [line, text] of Object.entries(cases)) {
    test(line || '(nothing)', async () => {
      expect(await complaint(line)).toBe(text)
    })
  }
})

describe('help', () => {
  test('--version', async () => {
    expect(await read('--version')).toEqual({ text: `tspod version ${VERSION}\n` })
    expect(await read('-v')).toEqual({ text: `tspod version ${VERSION}\n` })
  })
  test('all ways to ask for the same help', async () => {
    const { text } = await read('kube play --help')
    for (const line of ['help kube play', 'kube play -h', 'play kube --help', '--help kube play', 'kube --help play']) {
      expect(await read(line)).toEqual({ text })
    }
    expect((await read('help')).text).toBe((await read('--help')).text)
  })
  test('the first page names every command that is not hidden', async () => {
    const { text = '' } = await read('--help')
    for (const command of COMMANDS) {
      if (command.group === 'hidden') expect(text).not.toContain(command.summary)
      else expect(text).toContain(`  ${command.name} `)
    }
  })
  test('a group lists its commands', async () => {
    const { text = '' } = await read('pod --help')
    expect(text).toContain('pod ps')
    expect(text).not.toContain('image')
  })
  test('where all flags are hidden there is no heading for them', async () => {
    const { text = '' } = await read('container exists --help')
    expect(text).not.toContain('\nOptions:\n')
  })
  for (const command of COMMANDS) {
    test(`${command.name}: examples, and a text for every flag`, async () => {
      const verb = await command.load()
      const { text = '' } = await read(`help ${command.name}`)
      expect(verb.examples.length).toBeGreaterThan(0)
      for (const example of verb.examples) expect(text).toContain(`  # ${example.does}\n  ${example.line}\n`)
      for (const [name, flag] of Object.entries(verb.flags)) {
        expect(flag.help).not.toBe('')
        expect(text.includes(`--${name} `)).toBe(!flag.hidden)
      }
      for (const line of text.split('\n')) {
        if (!line.startsWith('  tspod') && !line.includes('|')) expect(line.length).toBeLessThanOrEqual(80)
      }
    })
    test(`${command.name}: every example can be read`, async () => {
      for (const { line } of (await command.load()).examples) {
        // The part that is ours: after a pipe into tspod, before a pipe or redirection out of it.
        const own = line.replace(/^.*\| (?=tspod)/, '').replace(/ [|<>].*$/, '')
        const words = (own.match(/(?:'[^']*'|\S)+/g) ?? []).map(word => word.replaceAll("'", ''))
        const invocation = await interpret(words.slice(1), 80)
        expect(invocation).toMatchObject({ kind: 'verb', command: { name: command.name } })
      }
    })
  }
})

test('no two commands share a spelling, a letter or a global flag', async () => {
  const names = COMMANDS.flatMap(command => [command.name, ...command.aliases])
  expect(new Set(names).size).toBe(names.length)
  for (const command of COMMANDS) {
    const { flags } = await command.load()
    const letters = Object.values(flags).flatMap(flag => flag.short ?? [])
    expect(new Set([...letters, 'h']).size).toBe(letters.length + 1)
    for (const name of ['root', 'runroot', 'runtime', 'log-level', 'help']) expect(flags).not.toHaveProperty(name)
  }
})
