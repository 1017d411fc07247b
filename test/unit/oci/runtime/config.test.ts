import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { annotatedRuntime, parseRuntimeConfig, readRuntimeConfig } from '../../../../src/oci/runtime/config.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync('/tmp/tspod-config-unit-')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const write = (text: string): void => writeFileSync(join(directory, 'tspod.toml'), text, { mode: 0o644 })

describe('tspod.toml', () => {
  test('names runtimes, a default and a deadline', async () => {
    const text = '[runtime]\ndefault = "new"\ntimeout_seconds = 5\n\n[runtimes.new]\npath = "/opt/crun"\n'
    expect(await parseRuntimeConfig('/etc/tspod/tspod.toml', text)).toEqual({
      file: '/etc/tspod/tspod.toml',
      default: 'new',
      timeoutMs: 5000,
      paths: new Map([['new', '/opt/crun']]),
    })
  })

  test('may be absent or empty', async () => {
    const nothing = { file: join(directory, 'tspod.toml'), paths: new Map() }
    expect(await readRuntimeConfig({ config: directory })).toEqual(nothing)
    write('')
    expect(await readRuntimeConfig({ config: directory })).toEqual(nothing)
  })

  const broken: Record<string, { text: string; line: number; says: RegExp }> = {
    'is not TOML': { text: '[runtime]\ndefault = \n', line: 2, says: /Invalid TOML/ },
    'an unknown table': { text: '\n[runtimez.x]\npath = "/x"\n', line: 2, says: /no setting runtimez/ },
    'an unknown key': { text: '[runtimes.x]\npath = "/x"\nargs = ["y"]\n', line: 3, says: /runtimes\.x\.args/ },
    'a relative path': { text: '[runtimes.x]\npath = "bin/x"\n', line: 2, says: /absolute path/ },
    'no path': { text: '[runtimes.y]\npath = "/y"\n[runtimes.x]\n', line: 3, says: /absolute path/ },
    'a name with a slash': { text: '[runtimes."../x"]\npath = "/x"\n', line: 1, says: /no name/ },
    'a default that is not there': { text: '[runtime]\n\ndefault = "z"\n', line: 3, says: /none of crun, runc/ },
    'a deadline of no time': { text: '[runtime]\ntimeout_seconds = 0\n', line: 2, says: /whole number/ },
    'a deadline in words': { text: '[runtime]\ntimeout_seconds = "long"\n', line: 2, says: /whole number/ },
    'no table': { text: 'runtime = 3\n', line: 1, says: /not a table/ },
    'an inline table': { text: '\nruntimes = { x = { path = "y" } }\n', line: 2, says: /absolute path/ },
  }
  for (const [name, { text, line, says }] of Object.entries(broken)) {
    test(`${name}: an error with file and line`, async () => {
      const file = '/etc/tspod/tspod.toml'
      const failing = parseRuntimeConfig(file, text)
      await expect(failing).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(says) })
      await failing.catch(error => expect(error.message).toMatch(`${file}:${line}: `))
    })
  }

  test('is not obeyed when others than root can write it', async () => {
    write('')
    chmodSync(join(directory, 'tspod.toml'), 0o666)
    await expect(readRuntimeConfig({ config: directory })).rejects.toMatchObject({ code: 'UNSAFE_PATH' })
  })
})

describe('the annotation of a pod', () => {
  const asks = (value?: string) =>
    annotatedRuntime(
      { config: directory },
      { name: 'web', annotations: value === undefined ? {} : { 'io.tspod.runtime': value } },
    )

  test('may name what is configured or built in', async () => {
    write('[runtimes.new]\npath = "/opt/crun"\n')
    expect(await asks()).toBeUndefined()
    for (const name of ['new', 'crun', 'runc']) expect(await asks(name)).toBe(name)
  })

  test('goes before runtimeClassName, which may name no more', async () => {
    write('[runtimes.new]\npath = "/opt/crun"\n')
    const classed = (runtimeClass: string, annotations: Record<string, string> = {}) =>
      annotatedRuntime({ config: directory }, { name: 'web', annotations, runtimeClass })
    expect(await classed('new')).toBe('new')
    expect(await classed('new', { 'io.tspod.runtime': 'runc' })).toBe('runc')
    await expect(classed('gvisor')).rejects.toMatchObject({
      code: 'SECURITY_REFUSED',
      message: 'pod web: runtimeClassName names "gvisor"',
    })
  })

  for (const value of ['/usr/bin/crun', '../crun', 'sh', '', 'new']) {
    test(`may not name ${JSON.stringify(value)}`, async () => {
      await expect(asks(value)).rejects.toMatchObject({
        code: 'SECURITY_REFUSED',
        message: expect.stringContaining('pod web'),
        remedy: expect.stringContaining('crun, runc'),
      })
    })
  }
})
