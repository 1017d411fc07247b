import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { MAX_SOURCE_BYTES, readSources, sourceProblems } from '../../../src/cli/source.ts'
import { recordedWorld } from '../../support/world.ts'

let directory: string
let server: Server
let base: string
let asked: { authorization: string | undefined }[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tspod-source-'))
  writeFileSync(join(directory, 'a,b.yaml'), '\ufeffkind: A\n')
  writeFileSync(join(directory, 'latin1.yaml'), Buffer.from([0x6b, 0xe9, 0x0a]))
  server = createServer((request, response) => {
    asked.push({ authorization: request.headers.authorization })
    if (request.url === '/ok') response.end('kind: U\n')
    else if (request.url === '/moved') response.writeHead(302, { location: '/ok' }).end()
    else if (request.url === '/silent') response.flushHeaders()
    else if (request.url === '/huge') {
      const block = Buffer.alloc(1024 * 1024, 0x20)
      response.on('close', () => response.destroy())
      Readable.from(Array.from({ length: 66 }, () => block)).pipe(response)
    } else response.writeHead(404).end('nothing here')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(async () => {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
  rmSync(directory, { recursive: true })
})

const world = (overrides = {}) => recordedWorld({}, { cwd: directory, ...overrides }).world
const text = async (...names: string[]) => readSources(names, world())

describe('files', () => {
  test('relative to the working directory, a comma in the name, without byte order mark', async () => {
    expect(await text('a,b.yaml')).toEqual([{ file: 'a,b.yaml', text: 'kind: A\n' }])
  })
  test('a file that is not there, in the words of the C library', async () => {
    await expect(text('nope.yaml')).rejects.toMatchObject({
      code: 'MANIFEST_UNREADABLE',
      message: 'open nope.yaml: no such file or directory',
    })
  })
  test('a directory', async () => {
    await expect(text(directory)).rejects.toMatchObject({ message: `open ${directory}: is a directory` })
  })
  test('not UTF-8', async () => {
    await expect(text('latin1.yaml')).rejects.toMatchObject({ message: 'latin1.yaml is not UTF-8 text' })
  })
  test('larger than the limit', async () => {
    await expect(text('/dev/zero')).rejects.toMatchObject({ message: '/dev/zero is larger than 16 MiB' })
    expect(MAX_SOURCE_BYTES).toBe(16 * 1024 * 1024)
  })
  test('everything that cannot be read, at once', async () => {
    await expect(text('x', 'a,b.yaml', 'y')).rejects.toMatchObject({
      message: '2 of 3 sources cannot be read',
      details: 'open x: no such file or directory\nopen y: no such file or directory',
    })
  })
})

describe('standard input', () => {
  test('to its end', async () => {
    const stdin = (): Readable => Readable.from([Buffer.from('kind: '), Buffer.from('S\n')])
    expect(await readSources(['-'], world({ stdin }))).toEqual([{ file: '-', text: 'kind: S\n' }])
  })
  test('characters that are torn between two pieces', async () => {
    const stdin = (): Readable => Readable.from([Buffer.from([0xc3]), Buffer.from([0xa9])])
    expect(await readSources(['-'], world({ stdin }))).toMatchObject([{ text: 'é' }])
  })
  test('an interrupt while nothing comes', async () => {
    const stop = new AbortController()
    const reading = readSources(
      ['-'],
      world({ stdin: () => new Readable({ read: () => undefined }), signal: stop.signal }),
    )
    stop.abort(new Error('interrupted'))
    await expect(reading).rejects.toThrow('interrupted')
  })
  test('must stand alone', () => {
    expect(sourceProblems(['-'])).toEqual([])
    expect(sourceProblems(['-', 'a'])).toHaveLength(1)
    expect(sourceProblems(['-', '-'])).toHaveLength(1)
  })
})

describe('URLs', () => {
  test('what the server sends', async () => {
    expect(await text(`${base}/ok`)).toEqual([{ file: `${base}/ok`, text: 'kind: U\n' }])
  })
  test('a redirect is followed', async () => {
    expect(await text(`${base}/moved`)).toMatchObject([{ text: 'kind: U\n' }])
  })
  test('a password goes into the header and never into a message', async () => {
    asked = []
    const url = `${base}/nope`.replace('//', '//me:p%40ss@')
    const failure = await text(url).catch((error: unknown) => error as Error)
    expect(failure).toMatchObject({ message: `GET ${base}/nope: the server answered 404 Not Found` })
    expect(asked).toEqual([{ authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}` }])
  })
  test('nobody listens', async () => {
    const failure = await text('http://127.0.0.1:9/').catch((error: unknown) => error as Error)
    expect(failure).toMatchObject({ code: 'MANIFEST_UNREADABLE' })
  })
  test('more than the limit is not read to its end', async () => {
    await expect(text(`${base}/huge`)).rejects.toMatchObject({ message: `${base}/huge is larger than 16 MiB` })
  })
  test('an interrupt while the server says nothing', async () => {
    const stop = new AbortController()
    const reading = readSources([`${base}/silent`], world({ signal: stop.signal }))
    setTimeout(() => stop.abort(new Error('interrupted')), 50)
    await expect(reading).rejects.toThrow('interrupted')
  })
})
