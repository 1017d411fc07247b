import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { blobFile, findImage, listImages } from '../../../src/oci/image.ts'
import { parseImageConfig } from '../../../src/oci/image-config.ts'
import type { Store } from '../../../src/oci/storage.ts'

let store: Store
let dir: string
const ID = 'c0ffee'.padEnd(64, '1')
const OLD = 'c0ffee'.padEnd(64, '2')
const LIST = `sha256:${'e'.repeat(64)}`
const DIGEST = `sha256:${'d'.repeat(64)}`

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tspod-images-'))
  store = { graphRoot: dir, runRoot: '/nowhere', driver: 'overlay', additional: [join(dir, 'more')], system: false }
  const put = (path: string, value: unknown): void => {
    mkdirSync(join(dir, path, '..'), { recursive: true })
    writeFileSync(join(dir, path), JSON.stringify(value))
  }
  const keys = {
    manifest: DIGEST,
    [`manifest-${DIGEST}`]: DIGEST,
    [`manifest-${LIST}`]: LIST,
    [`sha256:${ID}`]: `sha256:${ID}`,
  }
  put('overlay-images/images.json', [
    {
      id: ID,
      digest: DIGEST,
      names: ['docker.io/library/web:1', 'localhost/own:latest'],
      layer: 'top',
      'big-data-names': Object.keys(keys),
      'big-data-digests': keys,
    },
    { id: OLD, names: [], layer: 'loop', 'big-data-names': ['manifest'] },
  ])
  put('overlay-layers/layers.json', [
    { id: 'top', parent: 'base', 'diff-size': 10 },
    { id: 'base', 'diff-size': 5 },
    { id: 'loop', parent: 'loop', 'diff-size': 1 },
  ])
  put(`overlay-images/${ID}/${blobFile(`sha256:${ID}`)}`, {
    created: '2026-01-02T03:04:05Z',
    config: { Cmd: ['/web'] },
  })
  put(`overlay-images/${OLD}/manifest`, { config: { digest: 'sha256:feed' } })
  put(`overlay-images/${OLD}/${blobFile('sha256:feed')}`, {})
})

afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('findImage', () => {
  const found: Record<string, string> = {
    'docker.io/library/web:1': ID,
    'docker.io/web:1': ID,
    'web:1': ID,
    own: ID,
    'localhost/own': ID,
    [`web@${DIGEST}`]: ID,
    [`web:7@${DIGEST}`]: ID,
    [`own@${LIST}`]: ID,
    [ID]: ID,
    [`sha256:${ID}`]: ID,
    [OLD]: OLD,
  }
  for (const [name, id] of Object.entries(found)) {
    test(`${name.slice(0, 40)} is there`, async () => expect((await findImage(store, name))?.id).toBe(id))
  }

  for (const name of [
    'web',
    'web:2',
    'quay.io/web:1',
    'own:1',
    `other@${DIGEST}`,
    `web@sha256:${'0'.repeat(64)}`,
    'c0ffee',
    'f'.repeat(64),
  ]) {
    test(`${name.slice(0, 40)} is not there`, async () => expect(await findImage(store, name)).toBeUndefined())
  }

  test('the beginning of two ids is refused', async () => {
    mkdirSync(join(dir, 'more/overlay-images'), { recursive: true })
    const twins = ['a', 'b'].map(end => ({ id: 'badc0de00000'.padEnd(64, end) }))
    writeFileSync(join(dir, 'more/overlay-images/images.json'), JSON.stringify(twins))
    await expect(findImage(store, 'badc0de00000')).rejects.toMatchObject({ code: 'IMAGE_BAD_NAME' })
    rmSync(join(dir, 'more'), { recursive: true })
  })

  test('tells size and age', async () => {
    expect(await findImage(store, 'web:1')).toMatchObject({
      sizeBytes: 15,
      createdMs: Date.UTC(2026, 0, 2, 3, 4, 5),
      digest: DIGEST,
    })
    expect((await listImages(store)).map(image => image.sizeBytes)).toEqual([15, 1])
  })

  test('lists what cannot be run, but does not find it', async () => {
    mkdirSync(join(dir, 'more/overlay-images'), { recursive: true })
    writeFileSync(
      join(dir, 'more/overlay-images/images.json'),
      JSON.stringify([{ id: 'a'.repeat(64), names: ['localhost/list:latest'] }]),
    )
    expect((await listImages(store)).at(-1)).toMatchObject({ names: ['localhost/list:latest'], config: { cmd: [] } })
    await expect(findImage(store, 'list')).rejects.toMatchObject({ code: 'IMAGE_BAD_CONFIG' })
    rmSync(join(dir, 'more'), { recursive: true })
  })

  test('an empty store has no images', async () => {
    expect(await listImages({ ...store, graphRoot: '/nowhere', additional: [] })).toEqual([])
  })
})

describe('an image configuration', () => {
  const parse = (value: unknown) => parseImageConfig(JSON.stringify(value), 'x')

  test('absent and null parts are empty', () => {
    const empty = {
      entrypoint: [],
      cmd: [],
      env: [],
      workingDir: '',
      user: '',
      stopSignal: '',
      volumes: [],
      labels: {},
    }
    expect(parse({}).config).toEqual(empty)
    expect(parse({ config: null }).config).toEqual(empty)
    expect(
      parse({ config: { Entrypoint: null, Cmd: null, Env: null, Labels: null, Volumes: null, User: null } }).config,
    ).toEqual(empty)
  })

  test('keeps what decides how to run, and drops the rest', () => {
    const config = {
      Entrypoint: ['/e'],
      Env: ['A=b'],
      User: '1:2',
      Volumes: { '/v': {} },
      Labels: { a: 'b' },
      StopSignal: 'TERM',
      Healthcheck: { Test: ['CMD', 'x'] },
      OnBuild: ['x'],
    }
    expect(parse({ config }).config).toEqual({
      entrypoint: ['/e'],
      cmd: [],
      env: ['A=b'],
      workingDir: '',
      user: '1:2',
      stopSignal: 'TERM',
      volumes: ['/v'],
      labels: { a: 'b' },
    })
  })

  const bad: Record<string, unknown> = {
    'not an object': [],
    'text for a list': { config: { Cmd: '/bin/sh' } },
    'numbers in a list': { config: { Env: [1] } },
    'a zero byte': { config: { Cmd: ['a\0b'] } },
    'a line break in the user': { config: { User: 'a\nroot' } },
    'a list for an object': { config: { Labels: ['x'] } },
    'another system': { os: 'windows' },
  }
  for (const [what, value] of Object.entries(bad)) {
    test(`${what} is refused`, () =>
      expect(() => parse(value)).toThrow(expect.objectContaining({ code: 'IMAGE_BAD_CONFIG' })))
  }

  test('text that is not JSON is refused', () => {
    expect(() => parseImageConfig('<html>', 'x')).toThrow(expect.objectContaining({ code: 'IMAGE_BAD_CONFIG' }))
  })
})

test('names of data are kept when harmless and encoded otherwise, as containers-storage does', () => {
  expect(blobFile('manifest')).toBe('manifest')
  expect(blobFile('a-b')).toBe('=YS1i')
  expect(blobFile('../x')).not.toContain('/')
})
