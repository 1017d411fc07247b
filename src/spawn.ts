/**
 * Starting programs. What node:child_process does for it, without its fork: that copies the page tables of this
 * process, 3 to 10 ms of the main thread for each program, where posix_spawn(3) takes 0.3 (docs/adr/0013-spawn.md).
 * spawn.c makes the system calls. Only process.ts uses this.
 */
import { EventEmitter } from 'node:events'
import { closeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { constants as osConstants } from 'node:os'
import { join } from 'node:path'
import { systemError } from './errors.ts'
import { findProgramIn } from './programs.ts'

/** spawn.c: a negative answer is an errno. */
type Addon = {
  start(
    program: string,
    argv: readonly string[],
    env: readonly string[],
    cwd: string,
    fds: readonly number[],
    session: boolean,
  ): number
  pair(): [ours: number, theirs: number] | number
  reap(pid: number): number
}

/** Beside the bundle when this is the bundle; a checkout's tests take the one that `make build` put there. */
const ADDON = join(import.meta.dirname, '../dist/spawn.node')
let loaded: Addon | undefined
const addon = (): Addon => {
  loaded ??= createRequire(import.meta.url)(ADDON) as Addon
  return loaded
}

/** What `reap` answers of a process that runs, and from where on of one that a signal ended. */
const STILL_RUNS = -4096
const BY_SIGNAL = 256
/** Of one whose end somebody else has taken away, which no code of ours does. */
const UNKNOWN_CODE = 255
/** SIGCHLD tells of an end at once; should one be missed, a look finds it. It also keeps this process waiting. */
const MAX_PAUSE_MS = 1000

export type SpawnOptions = {
  cwd: string
  /** All of its environment. Its PATH is where the program is looked for. */
  env: Readonly<Record<string, string>> & { PATH: string }
  /** Its descriptors: /dev/null, a stream of ours, or ours of the same number. */
  stdio: readonly ('ignore' | 'pipe' | 'inherit')[]
  /** In a session and process group of its own. */
  session: boolean
}

type Events = {
  exit: [exitCode: number]
  close: [exitCode: number]
}

/**
 * A program that runs. `exit` tells of its end, with 128 + signal number when a signal ended it; `close` comes when
 * nobody has the other ends of our streams any more either.
 */
export class Child extends EventEmitter<Events> {
  readonly pid: number
  /** Our ends of the descriptors that are pipes. */
  readonly streams: readonly (Socket | undefined)[]
  #unfinished: number
  #exitCode: number | undefined

  constructor(pid: number, streams: readonly (Socket | undefined)[]) {
    super()
    this.pid = pid
    this.streams = streams
    const open = streams.filter(stream => stream !== undefined)
    this.#unfinished = open.length
    for (const stream of open) {
      // A program that ends before it has read all raises EPIPE: its exit code tells the story.
      stream.on('error', () => undefined)
      stream.once('close', () => this.#finish())
      stream.once('end', () => keepWatch(true))
    }
  }

  /** For whoever reaps it. */
  ended(exitCode: number): void {
    this.#exitCode = exitCode
    this.emit('exit', exitCode)
    // It reads no more; what it wrote may still be under way.
    this.streams[STDIN]?.destroy()
    if (this.#unfinished === 0) this.emit('close', exitCode)
  }

  #finish(): void {
    this.#unfinished--
    if (this.#unfinished === 0 && this.#exitCode !== undefined) this.emit('close', this.#exitCode)
  }

  /** This process need not wait for it. */
  unref(): void {
    waitedFor.delete(this.pid)
    keepWatch(false)
  }
}

/** Children that have not ended, and those of them this process does not end before. */
const running = new Map<number, Child>()
const waitedFor = new Set<number>()
let watch: NodeJS.Timeout | undefined
let pauseMs = 1

/**
 * Starts a program in its own descriptors and environment.
 * Throws the system's error: ENOENT when there is no such program in the PATH of `env`, EAGAIN when the host has no
 * room for a process, EMFILE.
 */
export function spawn(argv: readonly [string, ...string[]], options: SpawnOptions): Child {
  const { cwd, env, stdio, session } = options
  const program = argv[0].includes('/') ? argv[0] : findProgramIn(env.PATH, argv[0])
  if (program === undefined) throw systemError('spawn', osConstants.errno.ENOENT, argv[0])
  const theirs: number[] = []
  const ours: (number | undefined)[] = []
  try {
    const fds = stdio.map((what, index) => {
      if (what !== 'pipe') {
        ours.push(undefined)
        return what === 'inherit' ? index : -1
      }
      const ends = addon().pair()
      if (typeof ends === 'number') throw systemError('socketpair', -ends, argv[0])
      ours.push(ends[0])
      theirs.push(ends[1])
      return ends[1]
    })
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    // Before there is a child whose end could be missed.
    keepWatch(false)
    const pid = addon().start(program, argv, variables, cwd, fds, session)
    if (pid < 0) throw systemError('spawn', -pid, argv[0])
    const child = new Child(pid, ours.map(streamOn))
    running.set(pid, child)
    waitedFor.add(pid)
    keepWatch(true)
    return child
  } catch (error) {
    for (const fd of ours) if (fd !== undefined) closeSync(fd)
    throw error
  } finally {
    for (const fd of theirs) closeSync(fd)
  }
}

const STDIN = 0

const streamOn = (fd: number | undefined, index: number): Socket | undefined =>
  fd === undefined ? undefined : new Socket({ fd, readable: index !== STDIN, writable: true })

function reapAll(): void {
  for (const [pid, child] of [...running]) {
    const state = addon().reap(pid)
    if (state === STILL_RUNS) continue
    running.delete(pid)
    waitedFor.delete(pid)
    child.ended(state < 0 ? UNKNOWN_CODE : state >= BY_SIGNAL ? 128 + state - BY_SIGNAL : state)
  }
  keepWatch(false)
}

let listening = false

/**
 * Looks at once when a child has begun or has closed one of its descriptors, and then less and less often: the kernel
 * closes them a moment before there is an end to see.
 */
function keepWatch(soon: boolean): void {
  if (!listening) process.on('SIGCHLD', reapAll)
  listening = true
  if (soon || running.size === 0) {
    clearTimeout(watch)
    watch = undefined
    pauseMs = 1
  }
  if (running.size > 0) watch ??= setTimeout(lookAgain, pauseMs)
  if (waitedFor.size > 0) watch?.ref()
  else watch?.unref()
}

function lookAgain(): void {
  watch = undefined
  pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)
  reapAll()
}
