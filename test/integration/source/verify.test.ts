/** Commits whose signatures count: real ones, of ssh and of GPG. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { GitRef } from '../../../src/source/index.ts'
import { makeKey, Repository, signingWith } from '../../support/repository.ts'
import { SourceArea } from '../../support/source.ts'

let area: SourceArea
let app: Repository
let keys: { ada: string; eve: string }
beforeEach(() => {
  area = new SourceArea()
  app = new Repository(area.at('app'))
  const [ada, eve] = [makeKey(area.path, 'ada'), makeKey(area.path, 'eve')]
  keys = { ada: ada.file, eve: eve.file }
  fs.writeFileSync(area.at('signers'), `ada@example.com ${ada.publicKey}\n`)
})
afterEach(() => area.remove())

const signed = (key: string, text: string): string => {
  app.write('a.yaml', text)
  app.git('add', '--all')
  app.git(...signingWith(key), 'commit', '--quiet', '--gpg-sign', '--message=signed')
  return app.git('rev-parse', 'HEAD')
}
const wish = (verifyFile = area.at('signers')) => ({ verifyFile })
const url = (ref: GitRef = {}) => ({ ...wish(), from: { kind: 'git', url: area.at('app'), ref } as const })

describe('a commit that is signed by ssh', () => {
  test('with a key that is named is taken, with the name of its signer', async () => {
    const commit = signed(keys.ada, 'one\n')
    expect(await area.read(wish())).toMatchObject({ revision: commit, signer: 'ada@example.com' })
    area.ran.length = 0
    expect(await area.read(wish())).toMatchObject({ signer: 'ada@example.com' })
    expect(area.ran).toEqual([])
    expect((await area.read()).signer).toBeUndefined()
    expect(await area.read(url())).toMatchObject({ signer: 'ada@example.com' })
  })

  test('with another key, or not at all, is refused, and a good one after it is taken', async () => {
    signed(keys.eve, 'one\n')
    expect(await area.failure(wish())).toMatchObject({
      code: 'SOURCE_UNTRUSTED',
      message: expect.stringContaining('not trusted'),
    })
    app.commit({ 'a.yaml': 'two\n' })
    expect(await area.failure(wish())).toMatchObject({
      code: 'SOURCE_UNTRUSTED',
      message: expect.stringContaining('not signed'),
    })
    expect(await area.failure(url())).toMatchObject({ code: 'SOURCE_UNTRUSTED' })
    // The signature is for all that the tree holds, whoever has put it there.
    signed(keys.ada, 'three\n')
    expect((await area.read(wish())).signer).toBe('ada@example.com')
  })

  test('is not trusted for its content when that was changed', async () => {
    const commit = signed(keys.ada, 'one\n')
    const text = app.git('cat-file', 'commit', commit).replace('signed', 'forged')
    const forged = execFileSync('git', ['hash-object', '-t', 'commit', '-w', '--stdin'], {
      cwd: area.at('app'),
      input: `${text}\n`,
      encoding: 'utf8',
    }).trim()
    app.git('update-ref', 'refs/heads/main', forged)
    expect(await area.failure(wish())).toMatchObject({ code: 'SOURCE_UNTRUSTED' })
  })

  test('objects that are not what their names say are not taken', async () => {
    signed(keys.ada, 'one\n')
    const blob = app.git('rev-parse', 'HEAD:a.yaml')
    const other = execFileSync('git', ['hash-object', '-w', '--stdin'], {
      cwd: area.at('app'),
      input: 'forged\n',
      encoding: 'utf8',
    }).trim()
    const file = (object: string): string => area.at(`app/.git/objects/${object.slice(0, 2)}/${object.slice(2)}`)
    fs.rmSync(file(blob))
    fs.copyFileSync(file(other), file(blob))
    const error = await area.failure(wish())
    expect(['SOURCE_FETCH', 'SOURCE_HOSTILE', 'SOURCE_VANISHED']).toContain(error.code)
  })

  test('is looked at again when the keys have changed, or were not asked for before', async () => {
    const commit = signed(keys.eve, 'one\n')
    await area.read()
    expect(await area.failure(wish())).toMatchObject({ code: 'SOURCE_UNTRUSTED' })
    const eve = fs.readFileSync(`${keys.eve}.pub`, 'utf8')
    fs.writeFileSync(area.at('signers'), `eve@example.com ${eve}`)
    expect(await area.read(wish())).toMatchObject({ revision: commit, signer: 'eve@example.com' })
    fs.writeFileSync(area.at('signers'), `ada@example.com ${fs.readFileSync(`${keys.ada}.pub`, 'utf8')}`)
    expect(await area.failure(wish())).toMatchObject({ code: 'SOURCE_UNTRUSTED' })
  })

  test('a tag that is signed speaks for its commit', async () => {
    app.commit({ 'a.yaml': 'one\n' })
    app.git(...signingWith(keys.ada), 'tag', '--sign', '--message=v1', 'v1')
    app.git(...signingWith(keys.eve), 'tag', '--sign', '--message=v2', 'v2')
    expect(await area.read(url({ tag: 'v1' }))).toMatchObject({ signer: 'ada@example.com' })
    fs.rmSync(area.at('state'), { recursive: true })
    expect(await area.failure(url({ tag: 'v2' }))).toMatchObject({ code: 'SOURCE_UNTRUSTED' })
    expect(await area.failure(url({ branch: 'main' }))).toMatchObject({ code: 'SOURCE_UNTRUSTED' })
  })
})

describe('a commit that is signed by GPG', () => {
  const gpg = (home: string, ...args: string[]): string => {
    fs.mkdirSync(home, { recursive: true, mode: 0o700 })
    return execFileSync('gpg', ['--homedir', home, '--batch', '--quiet', ...args], { encoding: 'utf8', stdio: 'pipe' })
  }
  const newKey = (name: string): void => {
    const options = ['--pinentry-mode', 'loopback', '--passphrase', '']
    gpg(area.at(name), ...options, '--quick-generate-key', `${name} <${name}@example.com>`, 'ed25519', 'sign', 'never')
    fs.writeFileSync(area.at(`${name}.asc`), gpg(area.at(name), '--armor', '--export'))
  }
  const sign = (name: string, text: string): void => {
    app.write('a.yaml', text)
    app.git('add', '--all')
    execFileSync(
      'git',
      ['-c', `user.name=${name}`, '-c', `user.email=${name}@example.com`, 'commit', '-q', '-S', '-m', 'x'],
      {
        cwd: area.at('app'),
        env: { PATH: process.env.PATH, GNUPGHOME: area.at(name), HOME: '/nonexistent' },
      },
    )
  }
  afterEach(() => {
    for (const name of ['grace', 'mallory']) {
      execFileSync('gpgconf', ['--homedir', area.at(name), '--kill', 'all'], { stdio: 'ignore' })
    }
  })

  test('with a key of the keyring is taken, with another or with one of ssh not', async () => {
    newKey('grace')
    newKey('mallory')
    sign('grace', 'one\n')
    expect(await area.read(wish(area.at('grace.asc')))).toMatchObject({ signer: 'grace <grace@example.com>' })
    expect(await area.failure(wish(area.at('mallory.asc')))).toMatchObject({ code: 'SOURCE_UNTRUSTED' })
    expect(await area.failure(wish())).toMatchObject({ code: 'SOURCE_UNTRUSTED' })
    signed(keys.ada, 'two\n')
    expect(await area.failure(wish(area.at('grace.asc')))).toMatchObject({ code: 'SOURCE_UNTRUSTED' })
    expect(fs.readdirSync(area.at('state/shop')).filter(name => name.startsWith('.gnupg'))).toEqual([])
  })
})

describe('a file of keys', () => {
  test.each<[string, () => void]>([
    ['that is missing', () => fs.rmSync(area.at('signers'))],
    ['that is empty', () => fs.writeFileSync(area.at('signers'), '')],
    ['that everybody may write', () => fs.chmodSync(area.at('signers'), 0o666)],
  ])('%s trusts nobody', async (_, make) => {
    signed(keys.ada, 'one\n')
    make()
    expect(await area.failure(wish())).toMatchObject({ code: 'SOURCE_UNTRUSTED' })
  })
})
