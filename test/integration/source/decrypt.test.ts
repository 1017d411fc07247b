/** Files of SOPS: decrypted for whoever asks, and nowhere else. */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { FIXED_PATH } from '../../../src/process.ts'
import { Repository } from '../../support/repository.ts'
import { SourceArea } from '../../support/source.ts'

const KEY = 'AGE-SECRET-KEY-1CANARY'
const SECRET = 'canary-value'
const DOUBLE = join(import.meta.dirname, '../../support/bin')

let area: SourceArea
let app: Repository
beforeEach(() => {
  area = new SourceArea()
  area.searchPath = `${DOUBLE}:${FIXED_PATH}`
  app = new Repository(area.at('app'))
  fs.writeFileSync(area.at('key'), KEY)
})
afterEach(() => area.remove())

const encrypted = (text: string): string => {
  const bytes = Buffer.from(text).map(byte => byte ^ KEY.charCodeAt(0))
  return `ENC[${Buffer.from(bytes).toString('hex')}]`
}
const recipient = [...KEY].reverse().join('')
const secretOf = (value: string): string => `kind: Secret\nstringData:\n  password: ${value}\n`
const SEALED = `${secretOf(encrypted(SECRET))}sops:\n  age:\n  - recipient: ${recipient}\n  mac: x\n`
const withKey = () => ({ credentials: { ageKeyFile: area.at('key') } })

describe('a file of SOPS', () => {
  test('is decrypted, and is on the disk as it was committed', async () => {
    app.commit({ 'a.yaml': 'a\n', 'b.yaml': SEALED })
    for (const way of ['anew', 'from its snapshot']) {
      const { files } = await area.read(withKey())
      expect([way, files]).toEqual([
        way,
        [
          { file: 'a.yaml', text: 'a\n' },
          { file: 'b.yaml', text: secretOf(SECRET) },
        ],
      ])
    }
    expect(spawnSync('grep', ['-rl', SECRET, area.at('state')], { encoding: 'utf8' }).stdout).toBe('')
    expect(fs.readdirSync(area.at('state/shop')).filter(name => name.startsWith('.sops'))).toEqual([])
  })

  test('may be JSON', async () => {
    const json = `{"kind": "Secret", "data": "${encrypted(SECRET)}", "sops": {"recipient": "${recipient}", "mac": "x"}}`
    app.commit({ 'a.json': json })
    expect((await area.read(withKey())).files[0]?.text).toBe(`{"kind": "Secret", "data": "${SECRET}"}`)
  })

  test.each<[string, () => Record<string, string>]>([
    ['the environment', () => ({ SOPS_AGE_KEY: KEY })],
    ['a file that the environment names', () => ({ SOPS_AGE_KEY_FILE: area.at('key') })],
    [
      'a credential of the unit',
      () => {
        fs.mkdirSync(area.at('credentials'))
        fs.renameSync(area.at('key'), area.at('credentials/age-key'))
        return { CREDENTIALS_DIRECTORY: area.at('credentials') }
      },
    ],
  ])('finds its key in %s', async (_, env) => {
    app.commit({ 'b.yaml': SEALED })
    area.env = env()
    expect((await area.read()).files[0]?.text).toBe(secretOf(SECRET))
    expect(JSON.stringify(area.ran)).not.toContain(KEY)
  })

  test('without sops, without a key, and with another one is told with its name and a way out', async () => {
    app.commit({ 'b.yaml': SEALED })
    expect(await area.failure()).toMatchObject({ code: 'SOURCE_DECRYPT', remedy: expect.stringContaining('--age-key') })
    fs.writeFileSync(area.at('key'), 'AGE-SECRET-KEY-1OTHER')
    const other = await area.failure(withKey())
    expect(other).toMatchObject({ code: 'SOURCE_DECRYPT', message: expect.stringContaining('b.yaml') })
    expect(JSON.stringify([other.message, other.details])).not.toContain('OTHER')
    area.searchPath = '/nowhere'
    expect(await area.failure(withKey())).toMatchObject({
      code: 'SOURCE_DECRYPT',
      remedy: expect.stringContaining('install'),
    })
  })

  test('a manifest that only speaks of SOPS is left as it is', async () => {
    const text = 'kind: ConfigMap\ndata:\n  note: "sops: yes"\n  sops: no\n'
    app.commit({ 'a.yaml': text })
    area.searchPath = '/nowhere'
    expect((await area.read()).files[0]?.text).toBe(text)
  })
})

test('a kustomization without kustomize and kubectl says what to install', async () => {
  app.commit({ 'kustomization.yaml': 'resources: []\n' })
  area.searchPath = '/nowhere'
  expect(await area.failure()).toMatchObject({ code: 'SOURCE_RENDER', remedy: expect.stringContaining('install') })
})
