import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { isOlder, obstacleOf, selectRuntime } from '../../../../src/oci/runtime/index.ts'
import type { HostFacts } from '../../../../src/oci/spec/index.ts'
import { pathsFor } from '../../../../src/paths.ts'
import { recorder } from './recorder.ts'

const HOST: HostFacts = {
  cgroup: 'v2',
  capabilities: [],
  nofileHard: 1024,
  nprocHard: 1024,
  memlockHard: 8 * 1024 * 1024,
  canLowerOom: true,
  memoryBytes: 1024 ** 3,
  cpus: 2,
  arch: 'amd64',
  kernel: '6.1.0',
  apparmor: false,
  selinux: false,
}

let directory: string
beforeEach(() => {
  directory = mkdtempSync('/tmp/tspod-runtime-unit-')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe('isOlder', () => {
  const cases: [version: string, floor: string, older: boolean][] = [
    ['1.8.1', '1.8', false],
    ['1.8', '1.8.1', true],
    ['1.13.9', '1.14', true],
    ['1.21', '1.14', false],
    ['2.0', '1.99.99', false],
    ['1.1.5+ds1', '1.1.5', false],
    ['6.18.44-fc-v595', '5.10', false],
    ['unknown', '0.1', true],
  ]
  for (const [version, floor, older] of cases) {
    test(`${version} is ${older ? '' : 'not '}older than ${floor}`, () => expect(isOlder(version, floor)).toBe(older))
  }
})

describe('obstacles', () => {
  const cases: Record<string, { name: string; version: string; host: Partial<HostFacts>; works: boolean }> = {
    'crun on v2': { name: 'crun', version: '1.21', host: {}, works: true },
    'crun on v1': { name: 'crun', version: '1.8.1', host: { cgroup: 'v1' }, works: true },
    'crun on hybrid': { name: 'crun', version: '1.28', host: { cgroup: 'hybrid' }, works: false },
    'old crun on v2 without CAP_SYS_RESOURCE': {
      name: 'crun',
      version: '1.8.1',
      host: { canLowerOom: false },
      works: false,
    },
    'old crun on v2 with unlimited memlock': {
      name: 'crun',
      version: '1.8.1',
      host: { canLowerOom: false, memlockHard: Number.POSITIVE_INFINITY },
      works: true,
    },
    'new crun on v2 without CAP_SYS_RESOURCE': {
      name: 'crun',
      version: '1.21',
      host: { canLowerOom: false },
      works: true,
    },
    'runc on hybrid': { name: 'runc', version: '1.1.5', host: { cgroup: 'hybrid' }, works: true },
  }
  for (const [name, { version, host, works, ...rest }] of Object.entries(cases)) {
    test(`${name}: ${works ? 'works' : 'refused'}`, () => {
      expect(obstacleOf({ name: rest.name, version }, { ...HOST, ...host }) === undefined).toBe(works)
    })
  }
})

describe('selectRuntime', () => {
  const fakeRuntime = (): string => {
    const path = join(directory, 'myrt')
    writeFileSync(path, '#!/bin/sh\n')
    chmodSync(path, 0o755)
    return path
  }
  const paths = () => pathsFor(join(directory, 'root'), join(directory, 'run'))
  const says = (stdout: string) => recorder(() => ({ stdout }))

  test('an absolute path is asked for its name and version once per boot', async () => {
    mkdirSync(join(directory, 'run'))
    const run = says('crun version 1.21\ncommit: x\n')
    const path = fakeRuntime()
    const first = await selectRuntime(run, paths(), HOST, path)
    expect(first).toEqual({ name: 'crun', path, version: '1.21', root: join(directory, 'run/runtime/crun') })
    expect(await selectRuntime(run, paths(), HOST, path)).toEqual(first)
    expect(run.calls).toEqual([[path, '--version']])
  })

  test('an updated program is asked again', async () => {
    mkdirSync(join(directory, 'run'))
    const run = says('crun version 1.21\n')
    const path = fakeRuntime()
    await selectRuntime(run, paths(), HOST, path)
    writeFileSync(path, '#!/bin/sh\n# new\n')
    await selectRuntime(run, paths(), HOST, path)
    expect(run.calls).toHaveLength(2)
  })

  test('works without a run root', async () => {
    expect((await selectRuntime(says('runc version 1.1.5\n'), paths(), HOST, fakeRuntime())).version).toBe('1.1.5')
  })

  test('a damaged cache is made anew', async () => {
    mkdirSync(join(directory, 'run'))
    writeFileSync(join(directory, 'run/runtime.json'), '{"boot":')
    const run = says('runc version 1.1.5\n')
    expect((await selectRuntime(run, paths(), HOST, fakeRuntime())).name).toBe('runc')
  })

  test('an unknown name says where it was looked for', async () => {
    await expect(selectRuntime(says(''), paths(), HOST, 'youki-nope')).rejects.toMatchObject({
      code: 'RUNTIME_MISSING',
      message: expect.stringContaining('/usr/bin'),
    })
  })

  test('a name with a slash is not looked up relative to anything', async () => {
    await expect(selectRuntime(says(''), paths(), HOST, '../bin/sh')).rejects.toMatchObject({ code: 'RUNTIME_MISSING' })
  })

  test('a path that is not a runtime is refused', async () => {
    mkdirSync(join(directory, 'run'))
    await expect(selectRuntime(says('hello\n'), paths(), HOST, fakeRuntime())).rejects.toMatchObject({
      code: 'RUNTIME_MISSING',
    })
    await expect(selectRuntime(says(''), paths(), HOST, '/nope/crun')).rejects.toMatchObject({
      code: 'RUNTIME_MISSING',
    })
    await expect(selectRuntime(says(''), paths(), HOST, '/etc')).rejects.toMatchObject({ code: 'RUNTIME_MISSING' })
  })

  test('a program others can write is not run as root', async () => {
    const path = fakeRuntime()
    chmodSync(path, 0o777)
    await expect(selectRuntime(says(''), paths(), HOST, path)).rejects.toMatchObject({ code: 'UNSAFE_PATH' })
  })

  test('a program in a directory others can write is not run as root', async () => {
    const path = fakeRuntime()
    chmodSync(directory, 0o777)
    await expect(selectRuntime(says(''), paths(), HOST, path)).rejects.toMatchObject({ code: 'UNSAFE_PATH' })
  })

  test('a runtime that cannot work here says why', async () => {
    mkdirSync(join(directory, 'run'))
    const run = says('crun version 1.8.1\n')
    await expect(selectRuntime(run, paths(), { ...HOST, cgroup: 'hybrid' }, fakeRuntime())).rejects.toMatchObject({
      code: 'RUNTIME_MISSING',
      message: expect.stringContaining('hybrid'),
    })
  })
})
