/**
 * A cell: own network, mounts, processes, cgroups and image store on this very host, so that tests may run pods
 * side by side and count leaks exactly. It takes 50 ms to start and leaves nothing but what `remove` removes.
 */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { mustSucceed, run } from '../../src/process.ts'
import { type Place, program } from './place.ts'

/** On a disk, as installations are: neither SQLite nor overlay mounts are measured on a tmpfs. */
const STATE_PARENT = '/var/tmp'
const STATE_PREFIX = 'tspod-cell-'
const START_TIMEOUT_MS = 20_000
const POLL_MS = 20

export type CellOptions = {
  /** `v1`: on a hybrid host, the view in which crun works. */
  view?: 'host' | 'v1'
}

/** Starts a cell that holds the demo image. Throws with the script's words when the host refuses. */
export async function startCell(options: CellOptions = {}): Promise<Place> {
  sweepAbandoned()
  const state = await mkdtemp(join(STATE_PARENT, `${STATE_PREFIX}${process.pid}-`))
  const name = state.slice(STATE_PARENT.length + 1)
  const checkout = join(import.meta.dirname, '../..')
  const output = openSync(join(state, 'output'), 'w')
  const script = join(import.meta.dirname, 'cell-boot.sh')
  const unshare = spawn(script, [name, state, options.view ?? 'host'], {
    stdio: ['ignore', output, output],
    detached: true,
  })
  closeSync(output)
  unshare.unref()

  const remove = async (): Promise<void> => {
    unshare.kill('SIGKILL')
    const gone = (): boolean => processesOf(name).length === 0
    await until(gone, START_TIMEOUT_MS).catch(() => undefined)
    removeCgroups(name)
    rmSync(state, { recursive: true, force: true })
  }
  let init: number | undefined
  try {
    await until(() => existsSync(join(state, 'ready')) || unshare.exitCode !== null, START_TIMEOUT_MS)
    init = childOf(unshare.pid!)
    if (init === undefined) throw new Error(`the cell did not start: ${readFileSync(join(state, 'output'), 'utf8')}`)
  } catch (error) {
    await remove()
    throw error
  }

  const enter = join(import.meta.dirname, 'cell-enter.sh')
  const place: Place = {
    name,
    checkout,
    exec: (argv, { input, env = {}, timeoutMs } = {}) => {
      const assignments = Object.entries(env).map(([key, value]) => `${key}=${value}`)
      return run({
        argv: [enter, name, String(init), 'env', ...assignments, ...argv],
        ...(input === undefined ? {} : { input }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      })
    },
    sh: (line, how) => place.exec(['sh', '-c', line], how),
    remove,
  }
  mustSucceed(await place.exec(program(place, 'scripts/demo-image.ts')), 'making the demo image in the cell')
  return place
}

/** A directory that the cell sees under the same path, for what a test gives it and gets of it: it goes with the cell. */
export function sharedWith(cell: Place): string {
  const directory = join(STATE_PARENT, cell.name, 'shared')
  mkdirSync(directory)
  return directory
}

async function until(holds: () => boolean, withinMs: number): Promise<void> {
  const deadline = systemClock.monotonicMs() + withinMs
  while (!holds()) {
    if (systemClock.monotonicMs() > deadline) throw new Error(`not within ${withinMs} ms`)
    await systemClock.sleep(POLL_MS)
  }
}

function childOf(pid: number): number | undefined {
  if (!existsSync(`/proc/${pid}`)) return undefined
  const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
  return first === undefined || first === '' ? undefined : Number(first)
}

function cgroupTrees(): string[] {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' '))
  return mounts.filter(([, , type]) => type === 'cgroup' || type === 'cgroup2').map(([, target]) => target!)
}

function processesOf(name: string): string[] {
  return cgroupTrees().flatMap(tree => {
    try {
      return below(join(tree, name)).flatMap(path =>
        readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean),
      )
    } catch {
      return []
    }
  })
}

/** The directory and all below it, deepest first. */
function below(directory: string): string[] {
  if (!existsSync(directory)) return []
  const inner = readdirSync(directory, { withFileTypes: true }).filter(entry => entry.isDirectory())
  return [...inner.flatMap(entry => below(join(directory, entry.name))), directory]
}

function removeCgroups(name: string): void {
  for (const path of cgroupTrees().flatMap(tree => below(join(tree, name)))) {
    try {
      rmdirSync(path)
    } catch {
      // Still busy with a process that is being killed: the next cell sweeps it.
    }
  }
}

/** What cells left behind whose test was killed: their processes died with it. */
function sweepAbandoned(): void {
  mkdirSync(STATE_PARENT, { recursive: true })
  for (const entry of readdirSync(STATE_PARENT)) {
    const owner = new RegExp(`^${STATE_PREFIX}(\\d+)-`).exec(entry)?.[1]
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue
    removeCgroups(entry)
    rmSync(join(STATE_PARENT, entry), { recursive: true, force: true })
  }
}
