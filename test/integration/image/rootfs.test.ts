import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { Id, LocalImage } from '../../../src/model.ts'
import { findImage } from '../../../src/oci/image.ts'
import { type RootfsDoor, rootfsDoor, type Store } from '../../../src/oci/storage.ts'
import { run } from '../../../src/process.ts'
import { buildImage } from '../../support/image.ts'

jest.setTimeout(60_000)

let dir: string
let store: Store
let image: LocalImage
let door: RootfsDoor
const newId = (): Id => randomBytes(32).toString('hex') as Id
const mounts = (): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(line => line.includes(`${dir}/`) && line.includes('/merged '))

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tspod-rootfs-'))
  store = { graphRoot: join(dir, 'graph'), runRoot: join(dir, 'run'), driver: 'overlay', additional: [], system: false }
  buildImage('localhost/rootfs:1', { bare: true, files: { '/hello': { content: 'hello\n' } } }, store)
  image = (await findImage(store, 'rootfs:1')) as LocalImage
  door = rootfsDoor(run, store, join(dir, 'root'))
})

afterAll(() => {
  execFileSync('umount', [join(store.graphRoot, 'overlay')])
  rmSync(dir, { recursive: true, force: true })
})

test('a root file system can be written, keeps it over a remount, and goes without a trace', async () => {
  const id = newId()
  const path = await door.create(image, id, 'pod-web')
  expect(readFileSync(join(path, 'hello'), 'utf8')).toBe('hello\n')
  writeFileSync(join(path, 'new'), 'x')
  execFileSync('umount', [path])
  expect(await door.remount(id)).toBe(path)
  expect(existsSync(join(path, 'new'))).toBe(true)
  await door.remove(id)
  expect(existsSync(path)).toBe(false)
  expect(mounts()).toEqual([])
})

test('creating and removing may be repeated', async () => {
  const id = newId()
  expect(await door.create(image, id, 'twice')).toBe(await door.create(image, id, 'twice'))
  await Promise.all([door.remove(id), door.remove(id)])
  await door.remove(id)
  expect(mounts()).toEqual([])
})

test('mounts that a crash left counted do not keep it from being removed', async () => {
  const id = newId()
  await door.create(image, id, 'crashed')
  for (let n = 0; n < 3; n++) await door.remount(id)
  await door.remove(id)
  expect(mounts()).toEqual([])
})

test('counts after a reboot: nothing is mounted, and it can be mounted again and removed', async () => {
  const id = newId()
  const path = await door.create(image, id, 'rebooted')
  execFileSync('umount', [path])
  rmSync(store.runRoot, { recursive: true, force: true })
  expect(await door.remount(id)).toBe(path)
  expect(mounts()).toHaveLength(1)
  await door.remove(id)
})

test('only ours are listed, and ten come and go at once', async () => {
  const ids = Array.from({ length: 10 }, newId)
  const other = rootfsDoor(run, store, '/another/root')
  const foreign = newId()
  await Promise.all([
    other.create(image, foreign, 'foreign'),
    ...ids.map((id, n) => door.create(image, id, `many-${n}`)),
  ])
  expect((await door.list()).sort()).toEqual([...ids].sort())
  expect(await other.list()).toEqual([foreign])
  await Promise.all([other.remove(foreign), ...ids.map(id => door.remove(id))])
  expect(await door.list()).toEqual([])
  expect(mounts()).toEqual([])
})

test('an image that vanished is named', async () => {
  const gone = { ...image, id: 'f'.repeat(64), names: ['localhost/gone:1'] }
  await expect(door.create(gone, newId(), 'x')).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
    message: expect.stringContaining('localhost/gone:1'),
  })
  expect(await door.list()).toEqual([])
})

test('what was never made cannot be mounted, and says so for itself alone', async () => {
  const id = newId()
  await door.create(image, id, 'good')
  const outcomes = await Promise.allSettled([door.remount(id), door.remount(newId())])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  await door.remove(id)
})
