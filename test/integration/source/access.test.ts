/** Keys, tokens and certificates reach git, and nobody else. */
import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { makeKey, Repository, type Served, serveHttp, serveSsh } from '../../support/repository.ts'
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

describe('ssh', () => {
  let ssh: Awaited<ReturnType<typeof serveSsh>>
  let keys: Record<'ours' | 'other', string>
  beforeAll(async () => {
    area.env = {}
    keys = { ours: makeKey(area.path, 'ours').file, other: makeKey(area.path, 'other').file }
    ssh = await serveSsh(area.path, `${keys.ours}.pub`)
    fs.writeFileSync(area.at('hosts'), ssh.knownHost)
  })
  afterAll(() => ssh.close())

  const over = (sshKeyFile: string, knownHostsFile: string) => ({
    from: { kind: 'git', url: `${ssh.url}${area.at('app')}`, ref: {} } as const,
    credentials: { sshKeyFile, knownHostsFile },
  })

  test('opens a repository with the key and the host key that were named', async () => {
    fs.rmSync(area.at('state'), { recursive: true, force: true })
    expect((await area.read(over(keys.ours, area.at('hosts')))).files).toHaveLength(1)
  })

  test('reads no configuration but ours, and asks nobody', async () => {
    await area.read(over(keys.ours, area.at('hosts')))
    const config = fs.readFileSync(area.at('state/shop/ssh_config'), 'utf8')
    expect(config).toContain('BatchMode yes\nStrictHostKeyChecking yes\n')
    expect(config).toContain(`IdentityFile "${keys.ours}"\nIdentitiesOnly yes\n`)
  })

  test('trusts no host that is not known, and takes no other key', async () => {
    fs.writeFileSync(area.at('nobody'), '')
    const unknown = await area.failure(over(keys.ours, area.at('nobody')))
    expect(unknown).toMatchObject({ code: 'SOURCE_FETCH', remedy: expect.stringContaining('--known-hosts') })
    const other = await area.failure(over(keys.other, area.at('hosts')))
    expect(other).toMatchObject({ code: 'SOURCE_FETCH', remedy: expect.stringContaining('--ssh-key') })
  })
})
