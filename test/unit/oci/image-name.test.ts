import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseImageName, pullCandidates, readShortNames, type ShortNames } from '../../../src/oci/image-name.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

describe('an image name', () => {
  const good: Record<string, object> = {
    busybox: { path: 'busybox' },
    'library/busybox:1': { path: 'library/busybox', tag: '1' },
    'docker.io/busybox': { registry: 'docker.io', path: 'library/busybox' },
    'index.docker.io/a/b': { registry: 'docker.io', path: 'a/b' },
    'docker://quay.io/a/b:v1.2_x-y': { registry: 'quay.io', path: 'a/b', tag: 'v1.2_x-y' },
    'localhost/demo:1': { registry: 'localhost', path: 'demo', tag: '1' },
    'localhost:5000/demo': { registry: 'localhost:5000', path: 'demo' },
    '[::1]:5000/demo:1': { registry: '[::1]:5000', path: 'demo', tag: '1' },
    [`127.0.0.1:5000/a@${DIGEST}`]: { registry: '127.0.0.1:5000', path: 'a', digest: DIGEST },
    [`quay.io/a:1@${DIGEST}`]: { registry: 'quay.io', path: 'a', tag: '1', digest: DIGEST },
    'demo:5000': { path: 'demo', tag: '5000' },
  }
  for (const [text, name] of Object.entries(good)) test(text, () => expect(parseImageName(text)).toEqual(name))

  const bad = [
    '',
    'Upper/case',
    'UPPER',
    'a b',
    'a:b:c',
    'a@sha256:short',
    'a@md5:00',
    '-a',
    '../etc/passwd',
    'a/../b',
    'quay.io//a',
    'quay.io/',
    'a:',
    'a\nb',
    '--help',
    `a@sha256:../${'a'.repeat(61)}`,
    'x'.repeat(300),
    `a:${'t'.repeat(129)}`,
  ]
  for (const text of bad) {
    test(`${JSON.stringify(text.slice(0, 40))} is refused`, () => {
      expect(() => parseImageName(text)).toThrow(expect.objectContaining({ code: 'IMAGE_BAD_NAME' }))
    })
  }
})

describe('a short name', () => {
  const names: ShortNames = { aliases: { web: 'quay.io/team/web' }, searchRegistries: ['docker.io', 'quay.io'] }
  const tried = async (text: string, known = names): Promise<string[]> =>
    (await pullCandidates(parseImageName(text), known)).map(({ repository, tag }) => `${repository}:${tag}`)

  test('with an alias means the alias alone', async () => {
    expect(await tried('web:2')).toEqual(['quay.io/team/web:2'])
  })

  test('without one is looked for in each search registry, with library/ on docker.io', async () => {
    expect(await tried('app')).toEqual(['docker.io/library/app:latest', 'quay.io/app:latest'])
    expect(await tried('team/app:1')).toEqual(['docker.io/team/app:1', 'quay.io/team/app:1'])
  })

  test('with neither is an error that shows the full name to write', async () => {
    await expect(tried('app', { aliases: {}, searchRegistries: [] })).rejects.toMatchObject({
      code: 'IMAGE_PULL_FAILED',
      remedy: expect.stringContaining('docker.io/library/app'),
    })
  })

  test('that is a property of every object is no alias', async () => {
    expect(await tried('constructor')).toHaveLength(2)
  })
})

describe('registries.conf', () => {
  const withFiles = async (files: Record<string, string>): Promise<unknown> => {
    const dir = mkdtempSync(join(tmpdir(), 'tspod-registries-'))
    mkdirSync(join(dir, 'registries.conf.d'))
    for (const [path, text] of Object.entries(files)) writeFileSync(join(dir, path), text)
    try {
      return await readShortNames(join(dir, 'registries.conf'))
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }

  test('later files win entry by entry, and an empty alias takes one away', async () => {
    expect(
      await withFiles({
        'registries.conf':
          'unqualified-search-registries = ["a.example"]\n[aliases]\n"x" = "a.example/x"\n"y" = "a.example/y"\n',
        'registries.conf.d/10.conf': '[aliases]\n"x" = "b.example/x"\n"y" = ""\n',
        'registries.conf.d/20.conf': 'unqualified-search-registries = ["c.example"]\n',
        'registries.conf.d/ignored.txt': 'not toml at all = =',
      }),
    ).toEqual({ aliases: { x: 'b.example/x' }, searchRegistries: ['c.example'] })
  })

  test('missing files are no files', async () => {
    expect(await withFiles({})).toEqual({ aliases: {}, searchRegistries: [] })
  })

  test('a file that is not TOML is named', async () => {
    await expect(withFiles({ 'registries.conf.d/bad.conf': 'x = = 1' })).rejects.toMatchObject({
      code: 'HOST_LACKS',
      message: expect.stringContaining('bad.conf'),
    })
  })
})
