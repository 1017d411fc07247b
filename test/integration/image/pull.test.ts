import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { TspodError } from '../../../src/errors.ts'
import { findImage, listImages } from '../../../src/oci/image.ts'
import { type PullOptions, pullDoor } from '../../../src/oci/pull.ts'
import type { Store } from '../../../src/oci/storage.ts'
import { pathsFor } from '../../../src/paths.ts'
import { type Command, type RunStreaming, runStreaming } from '../../../src/process.ts'
import { writeImageLayout } from '../../support/image.ts'
import { freePort, type Registry, startRegistry } from '../../support/registry.ts'

jest.setTimeout(60_000)

let dir: string
let registry: Registry
let store: Store
let digest: string
const commands: Command[] = []

const recorded: RunStreaming = (command, onLine, signal) => {
  commands.push(command)
  return runStreaming(command, onLine, signal)
}
const door = () => pullDoor(recorded, store, pathsFor(join(dir, 'root'), join(dir, 'run')))
const pull = (name: string, options: Partial<PullOptions> = {}, lines: string[] = []) =>
  door().pull(
    name,
    { quiet: false, certDir: registry.certDir, creds: `${registry.user}:${registry.password}`, ...options },
    line => lines.push(line),
  )

async function failure(promise: Promise<unknown>): Promise<TspodError> {
  return promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: TspodError) => error,
  )
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tspod-pull-'))
  store = {
    graphRoot: join(dir, 'graph'),
    runRoot: join(dir, 'storage'),
    driver: 'overlay',
    additional: [],
    system: false,
  }
  registry = await startRegistry(dir)
  const layout = join(dir, 'layout')
  mkdirSync(layout)
  digest = writeImageLayout(layout, {
    bare: true,
    files: { '/hello': { content: 'hello\n' } },
    config: { Cmd: ['/hello'] },
  })
  registry.push(layout, 'team/app:1')
})

afterAll(async () => {
  await registry?.stop()
  try {
    execFileSync('umount', [join(store.graphRoot, 'overlay')], { stdio: 'ignore' })
  } catch {
    // Nothing was mounted.
  }
  rmSync(dir, { recursive: true, force: true })
})

describe('pull', () => {
  test('brings an image with its configuration, says what it does, and leaves no credentials anywhere', async () => {
    const lines: string[] = []
    const image = await pull(`${registry.host}/team/app:1`, {}, lines)
    expect(image).toMatchObject({
      digest,
      names: [`${registry.host}/team/app:1`],
      config: { cmd: ['/hello'], workingDir: '/' },
    })
    expect(lines[0]).toBe(`Trying to pull ${registry.host}/team/app:1...`)
    expect(lines.some(line => line.startsWith('Copying blob'))).toBe(true)
    expect(JSON.stringify(commands)).not.toContain(registry.password)
    expect(JSON.stringify(commands)).not.toContain(
      Buffer.from(`${registry.user}:${registry.password}`).toString('base64'),
    )
    expect(readdirSync(join(dir, 'run', 'tmp'))).toEqual([])
    expect(readdirSync(join(dir, 'root', 'tmp'))).toEqual([])
  })

  test('finds the image by digest, by id and in the list afterwards', async () => {
    const image = await findImage(store, `${registry.host}/team/app:1`)
    expect(image?.sizeBytes).toBeGreaterThan(0)
    expect((await findImage(store, `${registry.host}/team/app@${digest}`))?.id).toBe(image?.id)
    expect((await findImage(store, image?.id.slice(0, 12) ?? ''))?.id).toBe(image?.id)
    expect(await findImage(store, `${registry.host}/team/app`)).toBeUndefined()
    expect(await findImage(store, `${registry.host}/other/app@${digest}`)).toBeUndefined()
    expect(await listImages(store)).toHaveLength(1)
  })

  test('takes a digest, also next to a tag', async () => {
    expect((await pull(`${registry.host}/team/app:1@${digest}`)).digest).toBe(digest)
  })

  test('tries the search registries for a short name, in order', async () => {
    const registriesConf = join(dir, 'registries.conf')
    const dead = `127.0.0.1:${await freePort()}`
    writeFileSync(registriesConf, `unqualified-search-registries = ["${dead}", "${registry.host}"]\n`)
    const lines: string[] = []
    const image = await pull('team/app:1', { registriesConf }, lines)
    expect(image.names).toContain(`${registry.host}/team/app:1`)
    expect(lines.filter(line => line.startsWith('Trying'))).toHaveLength(2)
  })

  test('asks a registry that cannot be reached once, where something else serves', async () => {
    const dead = `127.0.0.1:${await freePort()}`
    commands.length = 0
    await failure(pull(`${dead}/team/app:1`, { once: true }))
    expect(commands.map(({ argv }) => argv[argv.indexOf('--retry-times') + 1])).toEqual(['0'])
  })

  test('follows an alias', async () => {
    const registriesConf = join(dir, 'aliases.conf')
    mkdirSync(`${registriesConf}.d`)
    writeFileSync(registriesConf, 'unqualified-search-registries = ["nowhere.invalid"]\n')
    writeFileSync(join(`${registriesConf}.d`, 'short.conf'), `[aliases]\n"app" = "${registry.host}/team/app"\n`)
    expect((await pull('app:1', { registriesConf })).digest).toBe(digest)
  })

  test('shares one pull between two who want the same image at once', async () => {
    const before = commands.length
    const one = door()
    const options = { quiet: true, certDir: registry.certDir, creds: `${registry.user}:${registry.password}` }
    const name = `${registry.host}/team/app:1`
    await Promise.all([one.pull(name, options, () => undefined), one.pull(name, options, () => undefined)])
    expect(commands.length - before).toBe(1)
  })

  test('credentials of a manifest are for its registry only, and in no argv', async () => {
    const auth = Buffer.from(`${registry.user}:${registry.password}`).toString('base64')
    const name = `${registry.host}/team/app:1`
    const without = { creds: undefined } as Partial<PullOptions>
    const other = await failure(pull(name, { ...without, auths: { 'registry.example': auth } }))
    expect(other.code).toBe('IMAGE_PULL_FAILED')
    expect(await pull(name, { ...without, auths: { [registry.host]: auth } })).toMatchObject({ digest })
    expect(JSON.stringify(commands.at(-1))).not.toContain(auth)
  })

  const failures: Record<string, { name: () => string; options?: () => Partial<PullOptions>; says: RegExp }> = {
    'a wrong password': {
      name: () => `${registry.host}/team/app:1`,
      options: () => ({ creds: `${registry.user}:wrong` }),
      says: /wrong user name or password for 127\.0\.0\.1/,
    },
    'no password': {
      name: () => `${registry.host}/team/app:1`,
      options: () => ({ creds: undefined }) as Partial<PullOptions>,
      says: /wants a user name and password/,
    },
    'a missing tag': { name: () => `${registry.host}/team/app:9`, says: /no tag 9 in repository team\/app/ },
    'a missing repository': {
      name: () => `${registry.host}/team/nothing:1`,
      says: /no tag 1 in repository team\/nothing/,
    },
    'an unknown authority': {
      name: () => `${registry.host}/team/app:1`,
      options: () => ({ certDir: undefined }) as Partial<PullOptions>,
      says: /TLS certificate of 127.* is signed by an unknown authority/,
    },
    'a dead registry': { name: () => '127.0.0.1:1/team/app:1', says: /registry 127\.0\.0\.1:1 does not answer/ },
    'a name that does not resolve': {
      name: () => 'registry.invalid/team/app:1',
      says: /registry registry\.invalid does not answer/,
    },
  }
  for (const [what, { name, options, says }] of Object.entries(failures)) {
    test(`says by name what is wrong: ${what}`, async () => {
      const error = await failure(pull(name(), options?.()))
      expect(error).toMatchObject({ code: 'IMAGE_PULL_FAILED', exitCode: 125, message: expect.stringMatching(says) })
      expect(error.remedy).not.toBe('')
      expect(error.message + error.remedy).not.toContain(registry.password)
    })
  }

  test('an authfile that is not there is refused in the words of Podman', async () => {
    const error = await failure(pull(`${registry.host}/team/app:1`, { authFile: '/nowhere/auth.json' }))
    expect(error.code).toBe('AUTH_FILE')
    expect(error.message).toBe(
      'credential file is not accessible: faccessat /nowhere/auth.json: no such file or directory',
    )
  })

  test('a signature policy of the command is obeyed, and named when it rejects', async () => {
    const signaturePolicy = join(dir, 'reject.json')
    writeFileSync(signaturePolicy, '{"default":[{"type":"reject"}]}')
    const error = await failure(pull(`${registry.host}/team/app:1`, { signaturePolicy }))
    expect(error.message).toContain('is rejected by the signature policy')
  })

  test('an aborted pull ends at once and leaves nothing', async () => {
    const controller = new AbortController()
    const server = await serve(() => undefined)
    const pulling = door().pull(
      `${server.host}/a/b:1`,
      { quiet: true, tlsVerify: false },
      () => undefined,
      controller.signal,
    )
    setTimeout(() => controller.abort(), 300)
    expect((await failure(pulling)).code).toBe('COMMAND_ABORTED')
    expect(readdirSync(join(dir, 'root', 'tmp'))).toEqual([])
    await server.stop()
  })

  test('what a killed process left in the staging directory goes with the next pull', async () => {
    mkdirSync(join(dir, 'root', 'tmp', 'pull-999999999-1-abcdef'), { recursive: true })
    await pull(`${registry.host}/team/app:1`)
    expect(readdirSync(join(dir, 'root', 'tmp'))).toEqual([])
  })
})

describe('a hostile or broken registry', () => {
  const answers: Record<string, { answer: RequestListener; says: RegExp }> = {
    'an internal error': { answer: (_, response) => response.writeHead(500).end(), says: /internal error/ },
    'too many requests': {
      answer: (_, response) =>
        response
          .writeHead(429, { 'content-type': 'application/json', 'retry-after': '0' })
          .end('{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}'),
      says: /too many requests/,
    },
    'a connection that breaks off': { answer: request => request.socket.destroy(), says: /does not answer/ },
    'a manifest that is not the digest asked for': {
      answer: (request, response) => {
        if (!request.url?.includes('/manifests/')) return void response.writeHead(200).end('{}')
        response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' })
        response.end('{"schemaVersion":2,"config":{},"layers":[]}')
      },
      says: /sent something else than the digest/,
    },
  }
  for (const [what, { answer, says }] of Object.entries(answers)) {
    test(`${what} is an error, and nothing is stored`, async () => {
      const server = await serve(answer)
      const before = readFileSync(join(store.graphRoot, 'overlay-images', 'images.json'), 'utf8')
      const error = await failure(
        door().pull(`${server.host}/a/b@sha256:${'0'.repeat(64)}`, { quiet: true, tlsVerify: false }, () => undefined),
      )
      await server.stop()
      expect(error).toMatchObject({ code: 'IMAGE_PULL_FAILED', message: expect.stringMatching(says) })
      expect(readFileSync(join(store.graphRoot, 'overlay-images', 'images.json'), 'utf8')).toBe(before)
    })
  }

  test('credentials do not follow a token server on another host', async () => {
    const seen: string[] = []
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization ?? '')
      response.writeHead(401).end()
    })
    const server = await serve((_, response) =>
      response.writeHead(401, { 'www-authenticate': `Basic realm="http://${other.host}/"` }).end(),
    )
    const options = { quiet: true, tlsVerify: false, creds: 'user:secret' }
    const error = await failure(door().pull(`${server.host}/a/b:1`, options, () => undefined))
    await Promise.all([server.stop(), other.stop()])
    expect(error.code).toBe('IMAGE_PULL_FAILED')
    expect(seen.filter(header => header !== '')).toEqual([])
  })
})

async function serve(answer: RequestListener): Promise<{ host: string; stop(): Promise<void> }> {
  const server: Server = createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
