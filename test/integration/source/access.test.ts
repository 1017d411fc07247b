/** Keys, tokens and certificates reach git, and nobody else. */
import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Repository, type Served, serveHttp } from '../../support/repository.ts'
import { SourceArea } from '../../support/source.ts'

const TOKEN = 'canary-5f3e'
let area: SourceArea
let served: Served
beforeAll(async () => {
  area = new SourceArea()
  new Repository(area.at('app')).commit({ 'a.yaml': 'one\n' })
  const [key, cert] = [area.at('key.pem'), area.at('cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2']
  execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' })
  served = await serveHttp(area.path, { token: TOKEN, tls: { key, cert } })
  fs.writeFileSync(area.at('token'), `${TOKEN}\n`, { mode: 0o600 })
})
afterAll(async () => {
  await served.close()
  area.remove()
})

const wish = (credentials = {}) => ({
  from: { kind: 'git', url: `${served.url}/app/.git`, ref: {} } as const,
  credentials: { caFile: area.at('cert.pem'), ...credentials },
})

describe('S20 a token', () => {
  const credentialsDirectory = (): string => {
    fs.mkdirSync(area.at('credentials'), { recursive: true })
    fs.copyFileSync(area.at('token'), area.at('credentials/git-token'))
    return area.at('credentials')
  }
  const ways: Record<string, () => { credentials?: object; env?: Record<string, string> }> = {
    'of a file': () => ({ credentials: { tokenFile: area.at('token') } }),
    'of the environment': () => ({ env: { TSPOD_GIT_TOKEN: TOKEN } }),
    'of the unit': () => ({ env: { CREDENTIALS_DIRECTORY: credentialsDirectory() } }),
  }

  test.each(Object.entries(ways))('S20 %s opens a repository, and is in no argv and no file', async (_, way) => {
    const { credentials = {}, env = {} } = way()
    area.env = env
    fs.rmSync(area.at('state'), { recursive: true, force: true })
    area.ran.length = 0
    expect((await area.read(wish(credentials))).files).toHaveLength(1)
    const login = Buffer.from(`git:${TOKEN}`).toString('base64')
    expect(area.ran.length).toBeGreaterThan(1)
    expect(JSON.stringify(area.ran)).not.toContain(TOKEN)
    expect(JSON.stringify(area.ran)).not.toContain(login)
    expect(spawnSync('grep', ['-rlE', `${TOKEN}|${login}`, area.at('state')], { encoding: 'utf8' }).stdout).toBe('')
  })

  test('that is wrong or missing is told without it', async () => {
    area.env = {}
    for (const text of ['canary-wrong', undefined]) {
      if (text !== undefined) fs.writeFileSync(area.at('wrong'), text)
      const error = await area.failure(wish(text === undefined ? {} : { tokenFile: area.at('wrong') }))
      expect(error).toMatchObject({ code: 'SOURCE_FETCH' })
      expect(error.remedy).toContain('--token-file')
      expect(JSON.stringify([error.message, error.details, error.remedy])).not.toContain('canary')
    }
    const missing = await area.failure(wish({ tokenFile: area.at('nothing') }))
    expect(missing).toMatchObject({ code: 'SOURCE_FETCH' })
  })

  test('is not sent where others can read it', async () => {
    const plain = {
      from: { kind: 'git', url: 'http://localhost:1/x.git', ref: {} },
      credentials: { tokenFile: area.at('token') },
    } as const
    expect(await area.failure(plain)).toMatchObject({ code: 'USAGE' })
  })
})

test('a certificate that nobody has named is not trusted', async () => {
  area.env = {}
  const error = await area.failure({ from: wish().from, credentials: { tokenFile: area.at('token') } })
  expect(error).toMatchObject({ code: 'SOURCE_FETCH' })
  expect(error.remedy).toContain('--ca-file')
})

test('ssh is given a configuration that has it read nothing else and ask nobody', async () => {
  fs.writeFileSync(area.at('key'), 'x', { mode: 0o600 })
  const from = { kind: 'git', url: 'git@localhost:app.git', ref: {} } as const
  const credentials = { sshKeyFile: area.at('key'), knownHostsFile: area.at('hosts') }
  const error = await area.failure({ from, credentials, timeoutMs: 10_000 })
  expect(error).toMatchObject({ code: 'SOURCE_FETCH' })
  const config = fs.readFileSync(area.at('state/shop/ssh_config'), 'utf8')
  expect(config).toContain('BatchMode yes\nStrictHostKeyChecking yes\n')
  expect(config).toContain(`IdentityFile "${area.at('key')}"\nIdentitiesOnly yes\n`)
  expect(config).toContain(`UserKnownHostsFile "${area.at('hosts')}"\n`)
})
