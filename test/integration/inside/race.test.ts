/**
 * Thousands of copies against somebody who swaps every component of the path for a link out of the root (S04). The
 * same as in copy.test.ts without a container around it: a hundred times as many tries in the same time.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { type CopyHow, copyInto, copyTo } from '../../../src/copy.ts'
import { type Place, plainRoot, type Root, walkInside } from '../../../src/inside.ts'

const ROUNDS = 4000
/** `d` and `d/e` are a directory or a link, and `d/e/f` a file, a link, or nothing, at any moment. */
const ATTACK = `cd "$1"; out=$2; while [ ! -e stop ]; do
  mv d real; ln -s "$out" d; rm d; mv real d
  mv d/e d/real; ln -s "$out" d/e; rm d/e; mv d/real d/e
  ln -sf "$out/f" d/e/f; rm -f d/e/f; echo inside >d/e/f; ln -sfn ../../../../../../../.."$out" d/e/g; rm -f d/e/g
done`

test('nothing outside is read or written', async () => {
  const area = mkdtempSync('/var/tmp/tspod-race-')
  const [inside, outside, fetched] = ['inside', 'outside', 'fetched'].map(name => join(area, name)) as [
    string,
    string,
    string,
  ]
  mkdirSync(join(inside, 'd/e'), { recursive: true })
  for (const path of [outside, fetched, join(area, 'source')]) mkdirSync(path)
  writeFileSync(join(outside, 'f'), 'canary')
  writeFileSync(join(area, 'source/f'), 'copied')
  const attacker = spawn('sh', ['-c', ATTACK, 'attack', inside, outside], { stdio: 'ignore' })
  const ended = new Promise(resolve => attacker.once('exit', resolve))
  const roots = [inside, fetched, join(area, 'source')].map(plainRoot) as [Root, Root, Root]
  const counts = { in: 0, out: 0, refused: 0 }
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const way of ['in', 'out'] as const) {
        const done = await (way === 'in' ? copyIn(roots, round) : copyOut(roots, round)).then(
          () => true,
          () => false,
        )
        counts[done ? way : 'refused'] += 1
      }
    }
  } finally {
    writeFileSync(join(inside, 'stop'), '')
    await ended
    for (const { fd } of roots) closeSync(fd)
  }
  expect(readFileSync(join(outside, 'f'), 'utf8')).toBe('canary')
  expect(readdirSync(outside)).toEqual(['f'])
  // By find: Node's own recursion goes through links.
  const texts = execFileSync('find', [fetched, '-type', 'f'], { encoding: 'utf8', maxBuffer: 2 ** 26 })
    .split('\n')
    .filter(Boolean)
    .map(path => readFileSync(path, 'utf8'))
  // A file that is written anew while it is copied may come out with the length that it had before.
  expect(texts.filter(text => !['inside\n', 'copied'].some(own => own.startsWith(text)))).toEqual([])
  // The attack has been met: some copies came through and some did not.
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(ROUNDS / 100)
  expect(existsSync(join(outside, 'g'))).toBe(false)
  rmSync(area, { recursive: true })
}, 120_000)

const HOW: CopyHow = {
  keepSetId: false,
  overwrite: true,
  note: () => undefined,
  signal: new AbortController().signal,
}

async function looking<T>(root: Root, path: string, use: (place: Place) => Promise<T>): Promise<T> {
  const held: number[] = []
  try {
    return await use(walkInside(root, path, held))
  } finally {
    for (const fd of held) closeSync(fd)
  }
}

const top = (root: Root) => ({ root, at: { fd: root.fd, path: '/', readOnly: false } })

/** By turns a single file below a path that changes, and a whole directory over one that does. */
async function copyIn([inside, , source]: readonly [Root, Root, Root], round: number): Promise<void> {
  await looking(inside, ['d/e', 'd/e/g', 'd'][round % 3]!, async place => {
    if (place.found === undefined) throw new Error('it was not there')
    if (round % 2 === 0) await copyInto(top(source), { root: inside, at: place.found }, HOW)
    else await copyTo(top(source), { root: inside, at: place.found }, 'e', HOW)
  })
}

async function copyOut([inside, fetched]: readonly [Root, Root, Root], round: number): Promise<void> {
  await looking(inside, ['d/e/f', 'd', 'd/e/g'][round % 3]!, async place => {
    if (place.found === undefined) throw new Error('it was not there')
    await copyTo({ root: inside, at: place.found }, top(fetched), `copy-${round}`, HOW)
  })
}
