/** A sample of the fault matrix, for every change; `make fault` has all of it. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import {
  countSyscalls,
  DATABASE,
  faultyCell,
  fillUp,
  inFrontOf,
  injected,
  killedAtSyscall,
  others,
  samples,
  seed,
  sh,
  takeDownOthers,
  tinyDisk,
  unharmed,
} from '../../support/faults.ts'
import type { Place } from '../../support/place.ts'
import { podText, readyCell, succeeds, tspod, WAIT_COMMAND } from '../../support/tspod.ts'

const TEXT = podText('sampled', { scripts: [WAIT_COMMAND, WAIT_COMMAND], port: 18_085 })
const KILLS = samples(2, 300, 1000)

let cell: Place
beforeAll(async () => {
  cell = await faultyCell()
  await sh(cell, 'cat >/tmp/sampled.yaml', TEXT)
}, 60_000)
afterEach(() => takeDownOthers(cell))
afterAll(() => cell?.remove())

const play = () => tspod(cell, ['kube', 'play', '-'], { input: TEXT })
const down = () => tspod(cell, ['kube', 'down', '-'], { input: TEXT })
const states = async () => (await others(cell)).map(({ state }) => state)

test(`killed at some system calls of a play and of a down (seed ${seed}): the same again works`, () =>
  unharmed(cell, async () => {
    const playArgs = ['kube', 'play', '/tmp/sampled.yaml']
    const downArgs = ['kube', 'down', '/tmp/sampled.yaml']
    const calls = await countSyscalls(cell, playArgs)
    for (const place of KILLS) {
      await killedAtSyscall(cell, Math.round((place / 1000) * calls), downArgs)
      await succeeds(cell, downArgs)
      await killedAtSyscall(cell, Math.round((place / 1000) * calls), playArgs)
      await succeeds(cell, ['kube', 'play', '--replace', '/tmp/sampled.yaml'])
      expect(await states()).toEqual(['running', 'running'])
    }
    await succeeds(cell, downArgs)
  }))

test('a monitor is killed: the container gets another one', () =>
  unharmed(cell, async () => {
    expect(await play()).toMatchObject({ exitCode: 0 })
    const [first] = await others(cell)
    await sh(cell, `kill -9 $(pgrep -f '[c]onmon --cid ${first!.id}')`)
    await succeeds(cell, ['container', 'cleanup', first!.id])
    expect(await states()).toEqual(['running', 'running'])
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

test('a monitor stands still: down ends it', () =>
  unharmed(cell, async () => {
    expect(await play()).toMatchObject({ exitCode: 0 })
    const [first] = await others(cell)
    await sh(cell, `kill -STOP $(pgrep -f '[c]onmon --cid ${first!.id}')`)
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

test('netavark fails in setup, then in teardown: both are said, and the same again works', () =>
  unharmed(cell, async () => {
    const saysNo = 'case " $* " in *" VERB "*) echo \'{"error":"told to fail"}\'; exit 1;; esac\nexec $real "$@"'
    let mend = await inFrontOf(cell, '/usr/lib/podman/netavark', saysNo.replace('VERB', 'setup'))
    const unplayed = await play().finally(mend)
    expect(unplayed.stderr).toMatch(/cannot connect pod sampled to network .*: told to fail/)
    expect(await others(cell)).toEqual([])
    expect(await play()).toMatchObject({ exitCode: 0 })
    mend = await inFrontOf(cell, '/usr/lib/podman/netavark', saysNo.replace('VERB', 'teardown'))
    const stuck = await down().finally(mend)
    expect(stuck.stderr).toMatch(/network of pod sampled is only partly removed/)
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

test('aardvark-dns died: the next pod brings it back', () =>
  unharmed(cell, async () => {
    await sh(cell, 'pkill -9 -x aardvark-dns')
    expect(await play()).toMatchObject({ exitCode: 0 })
    const found = await tspod(cell, ['exec', 'sampled', 'nslookup', 'bystander'])
    expect(`${found.stdout}${found.stderr}`).toMatch(/Address.*10\./)
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

test('no inotify watch is left: down looks again and again instead', () =>
  unharmed(cell, async () => {
    expect(await play()).toMatchObject({ exitCode: 0 })
    const downed = await injected(cell, 'inotify_add_watch:error=ENOSPC', ['kube', 'down', '-'], TEXT)
    expect(downed).toMatchObject({ exitCode: 0 })
  }))

test('the disk fails to write: the reason is named, and nothing is called a bug', () =>
  unharmed(cell, async () => {
    const failed = await injected(cell, 'pwrite64:error=EIO:when=1+', ['kube', 'play', '-'], TEXT)
    expect(failed).toMatchObject({ exitCode: 125 })
    expect(failed.stderr).toMatch(/state\.db/)
    expect(failed.stderr).not.toMatch(/bug/)
  }))

test('the database is from before a pod: its address is not given to another one', () =>
  unharmed(cell, async () => {
    await sh(cell, `mkdir /tmp/older; cp -a ${DATABASE}* /tmp/older`)
    expect(await play()).toMatchObject({ exitCode: 0 })
    await sh(
      cell,
      `mkdir /tmp/newer; cp -a ${DATABASE}* /tmp/newer; rm ${DATABASE}*; cp -a /tmp/older/. /var/lib/tspod`,
    )
    const other = podText('younger')
    await succeeds(cell, ['kube', 'play', '-'], { input: other })
    const addresses = await sh(cell, 'tail -n +2 /run/tspod/net/aardvark-dns/* | grep -o "10[.][0-9.]*" | sort')
    expect(new Set(addresses.split('\n')).size).toBe(addresses.split('\n').length)
    await succeeds(cell, ['kube', 'down', '-'], { input: other })
    await sh(cell, `rm ${DATABASE}*; cp -a /tmp/newer/. /var/lib/tspod; rm -r /tmp/newer /tmp/older`)
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

for (const path of ['/var/lib/tspod', '/run/tspod']) {
  test(`${path} is full: ps and down work, a play says why it does not`, async () => {
    const cramped = await readyCell()
    try {
      await tinyDisk(cramped, path, 4096)
      await succeeds(cramped, ['kube', 'play', '-'], { input: TEXT })
      const free = await fillUp(cramped, path)
      expect(await succeeds(cramped, ['ps'])).toMatch(/sampled/)
      const refused = await tspod(cramped, ['kube', 'play', '-'], { input: podText('another') })
      expect(refused).toMatchObject({ exitCode: 125 })
      expect(refused.stderr).toMatch(/no space left/)
      await succeeds(cramped, ['kube', 'down', '-'], { input: TEXT + podText('another') })
      await free()
      expect(await succeeds(cramped, ['ps', '-a', '-q'])).toBe('')
    } finally {
      await cramped.remove()
    }
  })
}
