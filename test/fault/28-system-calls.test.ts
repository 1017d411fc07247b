/** F27 to F32: system calls that fail, in tspod itself. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { Finished } from '../../src/process.ts'
import { faultyCell, injected, others, sh, takeDownOthers, unharmed } from '../support/faults.ts'
import { nodeOf, type Place } from '../support/place.ts'
import { launcher, podText, succeeds } from '../support/tspod.ts'

const TEXT = podText('refused', { port: 18_081 })

let cell: Place
beforeAll(async () => {
  cell = await faultyCell()
}, 60_000)
afterEach(() => takeDownOthers(cell))
afterAll(() => cell?.remove())

async function expectRunning(): Promise<void> {
  expect((await others(cell)).map(({ state }) => state)).toEqual(['running'])
}

/** A play under the fault works or says why; then the same play works. The same for down. */
async function survives(
  fault: (args: readonly string[]) => Promise<{ exitCode: number; stderr: string }>,
  says: RegExp,
) {
  const first = await fault(['kube', 'play', '-'])
  if (first.exitCode === 0) await expectRunning()
  // Killed, or given up by V8 itself: then there is nobody left to say anything.
  else if (first.exitCode < 128) expect(first.stderr).toMatch(says)
  // What was played but for some container is there, and tried again after a pause.
  await succeeds(cell, ['kube', 'play', '--replace', '-'], { input: TEXT })
  await expectRunning()
  const down = await fault(['kube', 'down', '-'])
  if (down.exitCode !== 0 && down.exitCode < 128) expect(down.stderr).toMatch(says)
  await succeeds(cell, ['kube', 'down', '-'], { input: TEXT })
}

const FAULTS: [row: string, inject: string, says: RegExp][] = [
  [
    'F27 the quota is used up at the first write',
    'pwrite64:error=EDQUOT:when=1+',
    /cannot use \/var\/lib\/tspod\/\S+: SQLITE/,
  ],
  ['F28 the disk fails the 1st sync', 'fdatasync,fsync:error=EIO:when=1', /state\.db|EIO|i\/o/i],
  ['F28 the disk fails every sync', 'fdatasync,fsync:error=EIO:when=1+', /state\.db|EIO|i\/o/i],
  ['F28 the disk fails the 1st write', 'pwrite64:error=EIO:when=1', /state\.db|EIO|i\/o/i],
  ['F28 the disk fails the 3rd write', 'pwrite64:error=EIO:when=3', /state\.db|EIO|i\/o/i],
  ['F28 the disk fails every write', 'pwrite64:error=EIO:when=1+', /state\.db|EIO|i\/o/i],
  ['F28 the disk fails the reads', 'pread64:error=EIO:when=6+', /state\.db|EIO|i\/o/i],
  ...[120, 200, 300, 400].map((n): [string, string, RegExp] => [
    `F31 no memory from mapping ${n} on`,
    `mmap:error=ENOMEM:when=${n}+`,
    /memory|ENOMEM/i,
  ]),
  ['F32 no inotify instance is left', 'inotify_init1:error=EMFILE', /inotify|EMFILE/],
]

for (const [row, inject, says] of FAULTS) {
  test(`${row}: play and down work or say why, and then work`, () =>
    unharmed(cell, () => survives(args => injected(cell, inject, args, TEXT), says)))
}

/** Runs tspod on a host that has no room for a process when it starts its FIRST to LAST program. */
async function withoutProcess(range: string, args: readonly string[]): Promise<Finished> {
  await sh(cell, `cc -shared -fPIC ${cell.checkout}/test/support/no-process.c -o /tmp/no-process.so`)
  return await cell.exec([nodeOf(cell), `${cell.checkout}/dist/tspod.cjs`, ...args], {
    input: TEXT,
    env: { LD_PRELOAD: '/tmp/no-process.so', NO_PROCESS: range },
  })
}

/** How often there was none, since this was asked last. */
const refusals = async (): Promise<number> =>
  Number(await sh(cell, 'test ! -e /tmp/no-process || wc -l </tmp/no-process; rm -f /tmp/no-process'))

test('F30 no process can be started: play and down work or say why, and then work', () =>
  unharmed(cell, () => survives(args => withoutProcess('1-9999', args), /EAGAIN|cannot run/)))

for (const [first, at] of [
  [1, 'the first two times'],
  [2, 'two times on the way'],
  [4, 'two times later on'],
] as const) {
  test(`F30 no process can be had ${at}: it is tried again, and play and down work`, () =>
    unharmed(cell, async () => {
      await refusals()
      const range = `${first}-${first + 1}`
      const played = await withoutProcess(range, ['kube', 'play', '-'])
      expect(`${played.exitCode} ${played.stderr}`).toMatch(/^0 /)
      expect(await refusals()).toBe(2)
      await expectRunning()
      expect(await withoutProcess(range, ['kube', 'down', '-'])).toMatchObject({ exitCode: 0 })
    }))
}

test('F30 no process can be had at all: each is tried three times, the error says so, and down leaves nothing', () =>
  unharmed(cell, async () => {
    await refusals()
    const failed = await withoutProcess('1-9999', ['kube', 'play', '-'])
    expect(failed).toMatchObject({ exitCode: 125 })
    expect(failed.stderr).toMatch(/cannot run .*EAGAIN/)
    const tries = await refusals()
    expect(tries % 3).toBe(0)
    expect(tries).toBeGreaterThan(0)
    await succeeds(cell, ['kube', 'down', '-'], { input: TEXT })
  }))

for (const fault of ['inotify_add_watch:error=ENOSPC', 'inotify_init1:error=EMFILE']) {
  test(`F32 no inotify watch is left (${fault}): down says so, waits by looking again, and works`, () =>
    unharmed(cell, async () => {
      await succeeds(cell, ['kube', 'play', '-'], { input: TEXT })
      const down = await injected(cell, fault, ['kube', 'down', '-'], TEXT)
      expect(down).toMatchObject({ exitCode: 0 })
      expect(down.stderr).toMatch(/^warning: the host has no inotify watch left/m)
    }))
}

for (const files of [12, 16, 20, 24, 28, 32, 40, 48, 64]) {
  test(`F29 only ${files} open files: play and down work or say why, and then work`, () =>
    unharmed(cell, () =>
      survives(
        args => cell.exec(['prlimit', `--nofile=${files}`, launcher(cell), ...args], { input: TEXT }),
        /EMFILE|too many open files|unable to open|cannot/i,
      ),
    ))
}

for (const processes of [11, 12, 14, 16, 20]) {
  test(`F30 room for ${processes} threads: play and down work or say why, and then work`, () =>
    unharmed(cell, () =>
      survives(async args => {
        const group = '/sys/fs/cgroup/pids/small'
        await sh(cell, `mkdir -p ${group}; echo ${processes} >${group}/pids.max`)
        const done = await cell.sh(
          `echo $$ >${group}/cgroup.procs; exec timeout -s KILL 100 ${launcher(cell)} ${args.join(' ')}`,
          { input: TEXT },
        )
        await sh(
          cell,
          `for p in $(cat ${group}/cgroup.procs); do echo $p >/sys/fs/cgroup/pids/cgroup.procs; done; rmdir ${group}`,
        )
        return done
      }, /EAGAIN|Resource temporarily|cannot|fork|thread/i),
    ))
}
