import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { openBeneath, processStart, readBeneath, removeTree, writeAtomic } from '../../../src/files.ts'

let root: string
let outside: string
let umask: number
beforeEach(() => {
  root = fs.mkdtempSync('/tmp/tspod-files-')
  outside = fs.mkdtempSync('/tmp/tspod-outside-')
  fs.writeFileSync(join(outside, 'canary'), 'canary')
  umask = process.umask(0o077)
})
afterEach(() => {
  process.umask(umask)
  for (const path of [root, outside]) fs.rmSync(path, { recursive: true, force: true })
})

const at = (...parts: string[]): string => join(root, ...parts)
const unsafe = expect.objectContaining({ code: 'UNSAFE_PATH' })
const modeOf = (path: string): string => (fs.statSync(path).mode & 0o7777).toString(8)
const openFiles = (): number => fs.readdirSync('/proc/self/fd').length

describe('writeAtomic', () => {
  test('replaces the file, with exactly the mode, and leaves nothing else', async () => {
    fs.writeFileSync(at('file'), 'old')
    await writeAtomic(at('file'), 'new', 0o644)
    expect(fs.readFileSync(at('file'), 'utf8')).toBe('new')
    expect(modeOf(at('file'))).toBe('644')
    expect(fs.readdirSync(root)).toEqual(['file'])
  })

  test('a planted link is replaced, not written through', async () => {
    fs.symlinkSync(join(outside, 'canary'), at('file'))
    await writeAtomic(at('file'), 'new', 0o600, { durable: false })
    expect(fs.readFileSync(join(outside, 'canary'), 'utf8')).toBe('canary')
    expect(fs.lstatSync(at('file')).isFile()).toBe(true)
  })

  test('a failure leaves the old content and no temporary file', async () => {
    fs.mkdirSync(at('file'))
    await expect(writeAtomic(at('file'), 'new', 0o600)).rejects.toThrow(/EISDIR/)
    expect(fs.readdirSync(root)).toEqual(['file'])
  })
})

describe('openBeneath', () => {
  const open = (path: string, how?: Parameters<typeof openBeneath>[2]): void => openBeneath(root, path, how).close()

  test('opens what is there and closes every descriptor on the way', () => {
    fs.mkdirSync(at('a/b'), { recursive: true })
    fs.writeFileSync(at('a/b/c'), 'x')
    const before = openFiles()
    const opened = openBeneath(root, './a//b/c')
    expect(fs.readFileSync(opened.procPath, 'utf8')).toBe('x')
    expect(opened.stat.isFile()).toBe(true)
    opened.close()
    expect(openFiles()).toBe(before)
  })

  const refused: Record<string, () => string> = {
    'an absolute path': () => '/etc',
    '".."': () => 'a/../../x',
    'a NUL character': () => 'a\0b',
    'a link at the end': () => {
      fs.symlinkSync(join(outside, 'canary'), at('link'))
      return 'link'
    },
    'a link on the way': () => {
      fs.symlinkSync(outside, at('way'))
      return 'way/canary'
    },
    'a link that stays inside': () => {
      fs.mkdirSync(at('real'))
      fs.symlinkSync('real', at('inside'))
      return 'inside'
    },
    'a dangling link': () => {
      fs.symlinkSync(join(outside, 'nothing'), at('dangling'))
      return 'dangling'
    },
  }
  for (const [name, plant] of Object.entries(refused)) {
    test(`refuses ${name}, also where it should make something`, () => {
      const path = plant()
      const before = openFiles()
      for (const create of [undefined, 'file', 'directory'] as const)
        expect(() => open(path, { create })).toThrow(unsafe)
      expect(fs.readdirSync(outside)).toEqual(['canary'])
      expect(openFiles()).toBe(before)
    })
  }

  test('makes what is missing, with exactly the mode, whatever the umask', () => {
    open('a/b', { create: 'directory', mode: 0o2775 })
    open('file', { create: 'file', mode: 0o640 })
    expect([at('a'), at('a/b'), at('file')].map(modeOf)).toEqual(['2775', '2775', '640'])
    open('file', { create: 'directory', mode: 0o777 })
    expect(modeOf(at('file'))).toBe('640')
  })

  test('what is missing, or no directory on the way, is a plain file-system error', () => {
    fs.writeFileSync(at('file'), '')
    expect(() => open('nothing')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    expect(() => open('file/below')).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
  })

  test('a FIFO is opened without waiting', () => {
    execFileSync('mkfifo', [at('fifo')])
    const opened = openBeneath(root, 'fifo')
    expect(opened.stat.isFIFO()).toBe(true)
    opened.close()
  })

  test('another mount on the way is refused unless it is expected', () => {
    const proc = (how?: Parameters<typeof openBeneath>[2]): void => openBeneath('/', 'proc/self/status', how).close()
    expect(() => proc()).toThrow(unsafe)
    expect(() => openBeneath('/', 'proc/version', { acrossMounts: true }).close()).not.toThrow()
  })

  test('magic links are links too', () => {
    expect(() => openBeneath('/proc', 'self/root/etc/passwd')).toThrow(unsafe)
    expect(() => openBeneath(`/proc/${process.pid}`, 'cwd')).toThrow(unsafe)
  })
})

describe('readBeneath', () => {
  const read = (path: string, max = 100): string | undefined => readBeneath(root, path, max)?.toString()

  test('reads a file, and says undefined when there is none', () => {
    fs.writeFileSync(at('file'), 'text')
    fs.symlinkSync('nowhere', at('dangling'))
    expect(read('file')).toBe('text')
    expect([read('nothing'), read('file/below'), read('dangling')]).toEqual([undefined, undefined, undefined])
  })

  test('links are followed as if the directory were the root', () => {
    fs.mkdirSync(at('usr/lib'), { recursive: true })
    fs.writeFileSync(at('usr/lib/file'), 'inside')
    fs.symlinkSync('/usr/lib/file', at('absolute'))
    fs.symlinkSync('../../../usr/../usr/lib/file', at('relative'))
    fs.symlinkSync('usr/lib', at('lib'))
    fs.symlinkSync(join(outside, 'canary'), at('escape'))
    fs.symlinkSync(`../../../../../..${outside}/canary`, at('climb'))
    expect([read('absolute'), read('relative'), read('lib/file'), read('/lib/../lib/file')]).toEqual(
      Array(4).fill('inside'),
    )
    expect([read('escape'), read('climb')]).toEqual([undefined, undefined])
  })

  const hostile: Record<string, (path: string) => void> = {
    'a FIFO': path => execFileSync('mkfifo', [path]),
    'a device': path => execFileSync('mknod', [path, 'c', '1', '5']),
    'a directory': path => fs.mkdirSync(path),
    'a link to itself': path => fs.symlinkSync('it', path),
    'more than the limit': path => fs.writeFileSync(path, 'x'.repeat(101)),
    'a sparse file of a terabyte': path => {
      fs.writeFileSync(path, '')
      fs.truncateSync(path, 2 ** 40)
    },
  }
  for (const [name, plant] of Object.entries(hostile)) {
    test(`refuses ${name} at once and leaks no descriptor`, () => {
      plant(at('it'))
      const before = openFiles()
      expect(() => read('it')).toThrow(unsafe)
      expect(openFiles()).toBe(before)
    })
  }

  test('exactly the limit is fine', () => {
    fs.writeFileSync(at('file'), 'x'.repeat(100))
    expect(read('file')).toHaveLength(100)
  })
})

describe('removeTree', () => {
  test('removes links, not what they lead to; gone already is success', async () => {
    fs.mkdirSync(at('tree/deep'), { recursive: true })
    fs.symlinkSync(outside, at('tree/deep/link'))
    fs.linkSync(join(outside, 'canary'), at('tree/hard'))
    execFileSync('mkfifo', [at('tree/fifo')])
    fs.writeFileSync(Buffer.from(`${at('tree')}/name-\xff`, 'latin1'), '')
    await removeTree(at('tree'))
    await removeTree(at('tree'))
    await removeTree(at('nothing/below'))
    expect(fs.readdirSync(root)).toEqual([])
    expect(fs.readFileSync(join(outside, 'canary'), 'utf8')).toBe('canary')
  })

  test('a link itself is removed', async () => {
    fs.symlinkSync(outside, at('link'))
    await removeTree(at('link'))
    expect(fs.readdirSync(root)).toEqual([])
    expect(fs.readdirSync(outside)).toEqual(['canary'])
  })

  test('a tree deeper than any path may be is taken apart', async () => {
    // Longer than PATH_MAX: it can only be made step by step.
    const name = 'd'.repeat(200)
    const script = `import os\nos.chdir(${JSON.stringify(root)})\nos.mkdir('tree'); os.chdir('tree')\nfor _ in range(150):\n  os.mkdir('${name}'); os.chdir('${name}')\nopen('leaf','w')`
    execFileSync('python3', ['-c', script])
    await removeTree(at('tree'))
    expect(fs.readdirSync(root)).toEqual([])
  })

  test('stops at a mount, and removes nothing behind it', async () => {
    fs.mkdirSync(at('tree/mnt'), { recursive: true })
    execFileSync('mount', ['--bind', outside, at('tree/mnt')])
    try {
      await expect(removeTree(at('tree'))).rejects.toThrow(unsafe)
      expect(fs.readdirSync(outside)).toEqual(['canary'])
    } finally {
      execFileSync('umount', [at('tree/mnt')])
    }
    await removeTree(at('tree'))
  })
})

describe('processStart', () => {
  test('names a living process and no other', () => {
    expect(processStart(process.pid)).toMatch(/^\d+$/)
    expect(processStart(process.pid)).toBe(processStart(process.pid))
    expect(processStart(2 ** 30)).toBeUndefined()
  })

  test('a zombie is dead', async () => {
    // The child must outlive the shell, which would reap it; the sleep that the shell becomes does not.
    const parent = spawn('sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 5'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    try {
      const pid = await new Promise<number>(resolve => parent.stdout.on('data', data => resolve(Number(data))))
      for (let i = 0; i < 100 && processStart(pid) !== undefined; i++) execFileSync('sleep', ['0.02'])
      expect(fs.readFileSync(`/proc/${pid}/stat`, 'latin1')).toContain(') Z ')
      expect(processStart(pid)).toBeUndefined()
    } finally {
      parent.kill('SIGKILL')
    }
  })
})
