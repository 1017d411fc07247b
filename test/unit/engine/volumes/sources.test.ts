import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { giveToGroup } from '../../../../src/engine/volumes/fs-group.ts'
import { checkHostPath } from '../../../../src/engine/volumes/host-path.ts'
import { memorySize } from '../../../../src/engine/volumes/memory.ts'
import { mountOf, parseMountPoints } from '../../../../src/engine/volumes/mounts.ts'
import type { HostPathType } from '../../../../src/model.ts'
import { containerSpec, podSpec } from '../../../support/spec-input.ts'

let root: string
beforeEach(() => {
  root = fs.mkdtempSync('/tmp/tspod-sources-')
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))
const at = (path: string): string => join(root, path)
const modeOf = (path: string): string => (fs.lstatSync(path).mode & 0o7777).toString(8)

describe('S23 hostPath', () => {
  const check = (path: string, type: HostPathType = '') => checkHostPath({ name: 'v', kind: 'hostPath', path, type })
  const invalid = expect.objectContaining({ code: 'VOLUME_INVALID' })
  beforeEach(() => {
    fs.mkdirSync(at('dir'))
    fs.writeFileSync(at('file'), '')
    execFileSync('mkfifo', [at('fifo')])
    execFileSync('mknod', [at('device'), 'c', '1', '3'])
  })

  const right: [HostPathType, string][] = [
    ['', 'fifo'],
    ['Directory', 'dir'],
    ['DirectoryOrCreate', 'dir'],
  ]
  for (const [type, path] of [
    ...right,
    ['File', 'file'],
    ['FileOrCreate', 'file'],
    ['CharDevice', 'device'],
  ] as typeof right) {
    test(`type ${type || '""'} takes a ${path}`, async () => expect((await check(at(path), type)).path).toBe(at(path)))
  }
  const wrong: [HostPathType, string][] = [
    ['Directory', 'file'],
    ['DirectoryOrCreate', 'file'],
    ['FileOrCreate', 'dir'],
  ]
  for (const [type, path] of [
    ...wrong,
    ['File', 'dir'],
    ['Socket', 'file'],
    ['BlockDevice', 'device'],
    ['', 'missing'],
  ] as typeof wrong) {
    test(`type ${type || '""'} refuses a ${path}`, async () => {
      await expect(check(at(path), type)).rejects.toThrow(invalid)
    })
  }

  test('makes directories with those above, and a file only in a directory that exists', async () => {
    const umask = process.umask(0o077)
    try {
      await check(at('new/below'), 'DirectoryOrCreate')
      await check(at('dir/new'), 'FileOrCreate')
    } finally {
      process.umask(umask)
    }
    expect([at('new'), at('new/below'), at('dir/new')].map(modeOf)).toEqual(['755', '755', '644'])
    await expect(check(at('nothing/file'), 'FileOrCreate')).rejects.toThrow(invalid)
  })

  test('the mount is where the links led to', async () => {
    fs.symlinkSync('dir', at('link'))
    expect((await check(at('link'))).path).toBe(at('dir'))
    fs.symlinkSync('nowhere', at('dangling'))
    await expect(check(at('dangling'), 'FileOrCreate')).rejects.toThrow(
      expect.objectContaining({ code: 'UNSAFE_PATH' }),
    )
    expect(fs.existsSync(at('nowhere'))).toBe(false)
  })

  test('a device is granted only where its type is asked for', async () => {
    expect((await check(at('device'), 'CharDevice')).device).toEqual({ type: 'c', major: 1, minor: 3 })
    expect((await check(at('device'))).device).toBeUndefined()
  })
})

describe('fsGroup', () => {
  test('reaches everything below, follows no link, and leaves owners alone', async () => {
    fs.mkdirSync(at('volume/dir'), { recursive: true, mode: 0o700 })
    fs.writeFileSync(at('volume/dir/file'), '', { mode: 0o600 })
    fs.writeFileSync(at('volume/suid'), '', { mode: 0o755 })
    fs.chmodSync(at('volume/suid'), 0o4755)
    fs.writeFileSync(at('canary'), '', { mode: 0o600 })
    fs.symlinkSync(at('canary'), at('volume/link'))
    fs.chownSync(at('volume/dir/file'), 77, 77)
    await giveToGroup(at('volume'), 4242)
    expect(modeOf(at('volume'))).toMatch(/^27/)
    expect([modeOf(at('volume/dir')), modeOf(at('volume/dir/file')), modeOf(at('volume/suid'))]).toEqual([
      '2770',
      '660',
      '775',
    ])
    expect(fs.statSync(at('volume/dir/file'))).toMatchObject({ uid: 77, gid: 4242 })
    expect(fs.statSync(at('canary'))).toMatchObject({ gid: 0 })
    expect(modeOf(at('canary'))).toBe('600')
  })

  test('the volume itself may not be a link', async () => {
    fs.mkdirSync(at('real'))
    fs.symlinkSync('real', at('volume'))
    await expect(giveToGroup(at('volume'), 4242)).rejects.toThrow(/ENOTDIR/)
  })
})

describe('size of a memory emptyDir', () => {
  const pod = (...limits: (number | undefined)[]) =>
    podSpec({
      containers: limits.map(limit =>
        containerSpec({ resources: limit === undefined ? {} : { memoryLimitBytes: limit } }),
      ),
    })
  test('the smaller of its own limit and what the containers may use', () => {
    expect(memorySize(100, pod(60, 60))).toBe(100)
    expect(memorySize(200, pod(60, 60))).toBe(120)
    expect(memorySize(undefined, pod(60, 60))).toBe(120)
    expect(memorySize(undefined, pod(60, undefined))).toBeUndefined()
    expect(memorySize(0, pod(undefined))).toBeUndefined()
  })
})

describe('the mount table', () => {
  const mounts = parseMountPoints(
    [
      '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
      '30 22 0:5 / /run rw - tmpfs tmpfs rw',
      '31 30 0:6 / /run/a\\040b rw master:7 - tmpfs tmpfs rw',
      '',
    ].join('\n'),
  )
  test('knows names with spaces, and what is shared', () => {
    expect(mounts.map(mount => mount.path)).toEqual(['/', '/run', '/run/a b'])
    expect(mounts.map(mount => mount.shared)).toEqual([true, false, false])
    expect(mounts[2]?.slave).toBe(true)
  })
  test('finds the mount a path is on', () => {
    expect(mountOf('/run/a b/c', mounts)?.path).toBe('/run/a b')
    expect(mountOf('/running', mounts)?.path).toBe('/')
  })
})
