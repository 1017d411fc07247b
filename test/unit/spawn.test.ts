import { readdirSync, readlinkSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { type Child, type SpawnOptions, spawn } from '../../src/spawn.ts'

const PATH = '/usr/bin:/bin'
const begin = (script: string, how: Partial<SpawnOptions> = {}): Child =>
  spawn(['sh', '-c', script], {
    cwd: '/',
    env: { PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
    session: false,
    ...how,
  })

async function outcome(child: Child): Promise<{ code: number; out: string }> {
  let out = ''
  for (const stream of child.streams.slice(1)) stream?.on('data', (chunk: Buffer) => (out += chunk.toString()))
  return new Promise(resolve => child.once('close', code => resolve({ code, out })))
}

/** Descriptors of this process, by what they lead to. */
const descriptors = (): string[] =>
  readdirSync('/proc/self/fd').flatMap(name => {
    try {
      return [readlinkSync(`/proc/self/fd/${name}`)]
    } catch {
      return []
    }
  })

describe('a program that is started', () => {
  test.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['kill -KILL $$', 137],
    ['kill -TERM $$', 143],
  ])('%s ends with %d', async (script, code) => {
    expect(await outcome(begin(script))).toEqual({ code, out: '' })
  })

  test('has its environment, its folder and the umask of this process', async () => {
    const child = begin('echo "$A-$HOME-$(pwd)-$(umask)"', { env: { PATH, A: 'a b' }, cwd: '/usr' })
    expect(await outcome(child)).toEqual({
      code: 0,
      out: `a b--/usr-${process.umask().toString(8).padStart(4, '0')}\n`,
    })
  })

  test('has only the descriptors it was given, and no signal is blocked or ignored', async () => {
    // ls opens the folder it lists, as the first number that is free. What a careless parent of this test has left
    // open in it, main.ts would have closed.
    const listed = await outcome(
      begin('exec ls /proc/self/fd', { stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'ignore'] }),
    )
    expect(
      listed.out
        .trim()
        .split('\n')
        .map(Number)
        .filter(fd => fd < 100),
    ).toEqual([0, 1, 2, 3, 4, 5])
    const { out } = await outcome(begin("grep -E '^Sig(Blk|Ign)' /proc/self/status"))
    expect(out).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n')
  })

  test('is in a session of its own when that is asked for', async () => {
    const child = begin('ps -o sid=,pgid= -p $$', { session: true })
    const { out } = await outcome(child)
    expect(out.trim().split(/\s+/)).toEqual([String(child.pid), String(child.pid)])
    const other = begin('ps -o sid= -p $$')
    expect((await outcome(other)).out.trim()).not.toBe(String(other.pid))
  })

  test('reads what it is sent, and one that reads nothing of it ends all the same', async () => {
    const reading = begin('wc -c', { stdio: ['pipe', 'pipe', 'pipe'] })
    reading.streams[0]?.end('x'.repeat(1_000_000))
    expect((await outcome(reading)).out.trim()).toBe('1000000')
    const deaf = begin('exit 3', { stdio: ['pipe', 'pipe', 'pipe'] })
    deaf.streams[0]?.end('x'.repeat(1_000_000))
    expect((await outcome(deaf)).code).toBe(3)
  })

  test('is over when it has ended, and closed when nobody holds its pipes any more', async () => {
    const child = begin('sleep 0.3 & exit 4')
    const order: string[] = []
    child.once('exit', code => order.push(`exit ${code}`))
    await outcome(child).then(() => order.push('close'))
    expect(order).toEqual(['exit 4', 'close'])
  })
})

test.each([
  ['no-such-program', 'ENOENT'],
  ['/etc/passwd', 'EACCES'],
  ['/no/such/program', 'ENOENT'],
])('%s cannot be started: %s, and nothing stays open', (program, code) => {
  const before = descriptors().length
  expect(() => spawn([program], { cwd: '/', env: { PATH }, stdio: ['pipe', 'pipe', 'pipe'], session: true })).toThrow(
    expect.objectContaining({ code, message: `${code}: spawn ${program}` }),
  )
  expect(descriptors().length).toBe(before)
})

test('a hundred at once all end, and leave no zombie and no descriptor', async () => {
  const before = descriptors().filter(target => target.startsWith('socket:')).length
  const children = Array.from({ length: 100 }, (_, index) => begin(`exit ${index}`))
  const codes = (await Promise.all(children.map(outcome))).map(({ code }) => code)
  expect(codes).toEqual(children.map((_, index) => index))
  for (const { pid } of children) expect(readdirSync('/proc')).not.toContain(String(pid))
  expect(descriptors().filter(target => target.startsWith('socket:')).length).toBe(before)
})
