/** F25 to F27: no room left, in each of the places tspod writes to, and a disk that is read-only all at once. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startCell } from '../support/cell.ts'
import { databaseCheck, fillUp, sh, tinyDisk } from '../support/faults.ts'
import { withLeakCheck } from '../support/leaks.ts'
import type { Place } from '../support/place.ts'
import { containers, pods, podText, tspod, WAIT_COMMAND, warmUp } from '../support/tspod.ts'

const TEXT = podText('cramped', { scripts: ['while :; do echo a line of the log; usleep 1000; done', WAIT_COMMAND] })
/** A database, run files and logs of two pods fit into this. */
const DISK_KIB = 4096

async function cellWith(path: string, kib = DISK_KIB): Promise<Place> {
  const cell = await startCell()
  await tinyDisk(cell, path, kib)
  await warmUp(cell)
  return cell
}

/** A test in a cell of its own, which is gone afterwards. */
async function inCell(made: Promise<Place>, body: (place: Place) => Promise<void>): Promise<void> {
  const place = await made
  try {
    await body(place)
  } finally {
    await place.remove()
  }
}

const play = (place: Place) => tspod(place, ['kube', 'play', '-'], { input: TEXT })
const down = (place: Place) => tspod(place, ['kube', 'down', '-'], { input: TEXT })

const places = {
  'F25 the state root': '/var/lib/tspod',
  'F26 the run root': '/run/tspod',
  'F26 the logs': '/var/log/tspod',
}

for (const [what, path] of Object.entries(places)) {
  describe(`${what} is full`, () => {
    let place: Place
    beforeAll(async () => {
      place = await cellWith(path)
    }, 60_000)
    afterAll(() => place?.remove())

    test('while a pod runs: ps answers, down works with nothing free, and leaves nothing', async () => {
      await withLeakCheck(place, async () => {
        expect(await play(place)).toMatchObject({ exitCode: 0 })
        const free = await fillUp(place, path)
        expect((await containers(place)).map(({ state }) => state)).toEqual(['running', 'running'])
        expect(await down(place)).toMatchObject({ exitCode: 0 })
        await free()
        expect(await pods(place)).toEqual([])
        expect(await databaseCheck(place)).toBe('ok')
      })
    })

    for (const leftKib of [0, 16, 64, 160, 600]) {
      test(`but for ${leftKib} KiB: a play works or names the reason, and the next one works`, async () => {
        await withLeakCheck(place, async () => {
          const free = await fillUp(place, path, leftKib)
          const cramped = await play(place)
          if (cramped.exitCode !== 0) {
            expect(cramped).toMatchObject({ exitCode: 125 })
            expect(cramped.stderr).toMatch(/no space|disk is full|ENOSPC/i)
            expect(cramped.stderr).not.toMatch(/bug|at .*\.cjs/)
          }
          expect(await down(place)).toMatchObject({ exitCode: 0 })
          await free()
          expect(await play(place)).toMatchObject({ exitCode: 0 })
          expect(await down(place)).toMatchObject({ exitCode: 0 })
          expect(await databaseCheck(place)).toBe('ok')
        })
      })
    }
  })
}

test('F26 the image store is full: play names the reason, down works with nothing free, and leaves nothing', () =>
  inCell(startCell(), async place => {
    await sh(place, 'cp -a /var/lib/containers /run/store')
    await tinyDisk(place, '/var/lib/containers', 16_384)
    await sh(place, 'cp -a /run/store/. /var/lib/containers/')
    await warmUp(place)
    await withLeakCheck(place, async () => {
      const free = await fillUp(place, '/var/lib/containers')
      const cramped = await play(place)
      expect(cramped.exitCode).not.toBe(0)
      expect(cramped.stderr).toMatch(/no space/)
      expect(await down(place)).toMatchObject({ exitCode: 0 })
      await free()
      expect(await play(place)).toMatchObject({ exitCode: 0 })
      const again = await fillUp(place, '/var/lib/containers')
      const freed = await down(place)
      expect(`${freed.exitCode} ${freed.stderr}`).toBe('0 ')
      expect(await containers(place)).toEqual([])
      await again()
    })
  }))

test('F27 the state root becomes read-only: reading goes on, writing names the reason, down works once it is mended', () =>
  inCell(cellWith('/var/lib/tspod'), place =>
    withLeakCheck(place, async () => {
      expect(await play(place)).toMatchObject({ exitCode: 0 })
      await sh(place, 'mount -o remount,ro /var/lib/tspod')
      expect((await containers(place)).map(({ state }) => state)).toEqual(['running', 'running'])
      const other = await tspod(place, ['kube', 'play', '-'], { input: podText('another') })
      expect(other).toMatchObject({ exitCode: 125 })
      expect(other.stderr).toMatch(/read-?only/i)
      await sh(place, 'mount -o remount,rw /var/lib/tspod')
      expect(await down(place)).toMatchObject({ exitCode: 0 })
    }),
  ))
