/**
 * Tools to make things go wrong inside a cell, and the invariants that have to hold whatever went wrong: the state
 * database is whole, fsck finds nothing, pods that have nothing to do with it go on as before, and down leaves nothing.
 */
import { expect } from '@jest/globals'
import { type Finished, mustSucceed } from '../../src/process.ts'
import { withLeakCheck } from './leaks.ts'
import { nodeOf, type Place } from './place.ts'
import { containers, type ListedContainer, launcher, pods, podText, readyCell, succeeds, tspod } from './tspod.ts'

/** A pod that runs beside every fault and must not notice. */
const BYSTANDER = 'bystander'
export const DATABASE = '/var/lib/tspod/state.db'

/** Set TSPOD_TEST_SEED to the number in a test's name to see the same samples again. */
export const seed = Number(process.env.TSPOD_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** `count` whole numbers from `from` to `to`, one in each of as many equal parts, by the seed alone (mulberry32). */
export function samples(count: number, from: number, to: number): number[] {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return Array.from({ length: count }, (_, part) => Math.round(from + ((part + next()) / count) * (to - from)))
}

/** A cell with the bystander running in it. */
export async function faultyCell(): Promise<Place> {
  const cell = await readyCell()
  await succeeds(cell, ['kube', 'play', '-'], { input: podText(BYSTANDER) })
  return cell
}

/** Runs `body`; afterwards the database is sound, the bystander is what it was, and nothing is left of the rest. */
export async function unharmed(cell: Place, body: () => Promise<void>): Promise<void> {
  const before = await bystander(cell)
  await withLeakCheck(cell, body)
  expect(await bystander(cell)).toEqual(before)
  expect(await databaseCheck(cell)).toBe('ok')
  const checked = await tspod(cell, ['system', 'fsck'])
  expect(`${checked.exitCode} ${checked.exitCode === 0 ? '' : checked.stdout}`).toBe('0 ')
}

async function bystander(cell: Place): Promise<unknown> {
  const [container] = (await containers(cell)).filter(({ pod }) => pod === BYSTANDER)
  const [pod] = (await pods(cell)).filter(({ name }) => name === BYSTANDER)
  return { pid: container?.pid, state: container?.state, restarts: container?.restarts, ips: pod?.ips }
}

/** What SQLite says of the state database: "ok", or its complaints. */
export async function databaseCheck(cell: Place): Promise<string> {
  const program = `
    const { DatabaseSync } = require('node:sqlite')
    const database = new DatabaseSync('${DATABASE}')
    const rows = [...database.prepare('PRAGMA integrity_check').all(), ...database.prepare('PRAGMA foreign_key_check').all()]
    console.log(rows.flatMap(Object.values).join(' '))`
  return mustSucceed(await cell.exec([nodeOf(cell), '-e', program]), 'checking the database').stdout.trim()
}

/** Removes every pod but the bystander. */
export async function takeDownOthers(cell: Place): Promise<void> {
  const names = (await pods(cell)).map(({ name }) => name).filter(name => name !== BYSTANDER)
  if (names.length > 0)
    await succeeds(cell, ['kube', 'down', '-'], { input: names.map(name => podText(name)).join('') })
}

/** Containers of all pods but the bystander. */
export const others = async (cell: Place): Promise<ListedContainer[]> =>
  (await containers(cell)).filter(({ pod }) => pod !== BYSTANDER)

/** Runs a line of shell that has to succeed; answers its output without the last line break. */
export async function sh(cell: Place, line: string, input?: string): Promise<string> {
  return mustSucceed(await cell.sh(line, input === undefined ? {} : { input }), line).stdout.trim()
}

/** How many system calls the main thread of `tspod …` makes. */
export async function countSyscalls(cell: Place, args: readonly string[]): Promise<number> {
  await sh(cell, `strace -qq -o /tmp/calls ${launcher(cell)} ${args.join(' ')} >/dev/null 2>&1`)
  return Number(await sh(cell, 'wc -l </tmp/calls; rm /tmp/calls'))
}

/** Runs `tspod …`, which is killed when its main thread makes its `nth` system call. */
export async function killedAtSyscall(cell: Place, nth: number, args: readonly string[]): Promise<void> {
  const inject = `inject=all:signal=KILL:when=${nth}`
  await cell.sh(`strace -qq -o /dev/null -e ${inject} ${launcher(cell)} ${args.join(' ')} >/dev/null 2>&1`)
}

/**
 * Runs `tspod …` with system calls of all its threads going wrong as `inject` says (strace's words), but not those of
 * the programs it starts.
 */
export function injected(cell: Place, inject: string, args: readonly string[], input?: string): Promise<Finished> {
  const bundle = `${cell.checkout}/dist/tspod.cjs`
  const [calls = ''] = inject.split(':')
  const strace = ['strace', '-f', '-b', 'execve', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`] as const
  return cell.exec(
    [...strace, '-e', `inject=${inject}`, nodeOf(cell), bundle, ...args],
    input === undefined ? {} : { input },
  )
}

/** A small file system of `kib` below `path`; what is there is hidden. */
export async function tinyDisk(cell: Place, path: string, kib: number): Promise<void> {
  await sh(cell, `mkdir -p ${path}; mount -t tmpfs -o size=${kib}k,mode=700 tmpfs ${path}`)
}

/** Takes all room below `path` but `leftKib`; the way back frees it. */
export async function fillUp(cell: Place, path: string, leftKib = 0): Promise<() => Promise<void>> {
  await cell.sh(`cat /dev/zero >${path}/fill 2>/dev/null`)
  if (leftKib > 0) await sh(cell, `truncate -s -${leftKib}K ${path}/fill`)
  return async () => {
    await sh(cell, `rm ${path}/fill`)
  }
}

/**
 * Puts a shell script in front of a program of the host, for this cell only; `$real` in it is the program itself.
 * Answers the way back.
 */
export async function inFrontOf(cell: Place, path: string, script: string): Promise<() => Promise<void>> {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const directory = `/run/in-front-of-${name}`
  await sh(cell, `mkdir -p ${directory}; cp ${path} ${directory}/real`)
  // Its own directory keeps the program's own name: tspod knows strays by it.
  await sh(
    cell,
    `mkdir -p ${directory}/bin; mv ${directory}/real ${directory}/bin/${name}; cat >${directory}/wrapper; chmod +x ${directory}/wrapper; mount --bind ${directory}/wrapper ${path}`,
    `#!/bin/sh\nreal=${directory}/bin/${name}\n${script}\n`,
  )
  return async () => {
    await sh(cell, `umount ${path}; rm -r ${directory}`)
  }
}
