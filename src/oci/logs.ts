/**
 * Container logs as conmon writes them: `2026-01-02T03:04:05.678901234+00:00 stdout F text`, one entry a line.
 * `P` marks a part of a line that goes on in the next entry of the same stream. When a log reaches its size limit
 * conmon puts a fresh file in its place.
 */
import { constants, type FSWatcher, watch } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '../clock.ts'
import { isMissing, TspodError } from '../errors.ts'

export type LogStream = 'stdout' | 'stderr'

export type LogLine = {
  container: string
  /** As conmon wrote it: RFC 3339 with nanoseconds and offset. */
  time: string
  timeMs: number
  stream: LogStream
  /** Without the line end. */
  text: string
}

export type LogSource = { container: string; path: string }

export type LogOptions = {
  /** The last so many lines of each container; absent: all. */
  tail?: number
  /** Only lines at or after this time. */
  sinceMs?: number
  /** Only lines at or before this time. */
  untilMs?: number
  /** Goes on with what is written from now on, until `isOver` says that no more will come. */
  follow?: { isOver: (container: string) => boolean | Promise<boolean>; clock: Clock; signal?: AbortSignal }
}

/** One raw entry of a log. */
export type LogEntry = { time: string; stream: LogStream; full: boolean; text: string }

const ENTRY = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP]) (.*)$/s

/** One entry from one line of the file, undefined when it is not one (a torn write after a full disk). */
export function parseEntry(line: string): LogEntry | undefined {
  const [, time, stream, tag, text] = ENTRY.exec(line) ?? []
  if (time === undefined || text === undefined) return undefined
  return { time, stream: stream as LogStream, full: tag === 'F', text }
}

/** A container that never ends its line must not fill our memory: such a line is handed out in pieces. */
const MAX_LINE_CHARS = 1024 * 1024

/** Joins the entries of one container to lines. */
export class LineJoiner {
  readonly #container: string
  readonly #parts = new Map<LogStream, { time: string; text: string }>()

  constructor(container: string) {
    this.#container = container
  }

  /** The line this entry completes, if it does. */
  add(entry: LogEntry): LogLine | undefined {
    const begun = this.#parts.get(entry.stream)
    const text = (begun?.text ?? '') + entry.text
    const time = begun?.time ?? entry.time
    if (!entry.full && text.length < MAX_LINE_CHARS) {
      this.#parts.set(entry.stream, { time, text })
      return undefined
    }
    this.#parts.delete(entry.stream)
    return this.#line(time, entry.stream, text)
  }

  /** What was begun and never ended, in the order of time. */
  rest(): LogLine[] {
    const lines = [...this.#parts].map(([stream, part]) => this.#line(part.time, stream, part.text))
    this.#parts.clear()
    return lines.sort(inOrder)
  }

  #line(time: string, stream: LogStream, text: string): LogLine {
    return { container: this.#container, time, timeMs: Date.parse(time), stream, text }
  }
}

/**
 * The lines of one or several containers: first what is there, in the order of time, then, when following, new ones
 * as they come. A log that does not exist (yet) is empty. Throws UNSAFE_PATH when a log is not a plain file.
 */
export async function* readLogs(sources: readonly LogSource[], options: LogOptions = {}): AsyncGenerator<LogLine> {
  const readers = sources.map(source => new LogReader(source))
  const wanted = (line: LogLine): boolean =>
    line.timeMs >= (options.sinceMs ?? Number.NEGATIVE_INFINITY) &&
    line.timeMs <= (options.untilMs ?? Number.POSITIVE_INFINITY)
  try {
    for await (const line of merged(readers.map(reader => reader.present(options.tail)))) {
      if (wanted(line)) yield line
    }
    if (options.follow === undefined) {
      yield* readers.flatMap(reader => reader.rest()).filter(wanted)
      return
    }
    for await (const line of followed(readers, sources, options.follow)) {
      if (wanted(line)) yield line
    }
  } finally {
    await Promise.all(readers.map(reader => reader.close()))
  }
}

/** fs.watch misses what a rename hides; a missed change costs at most this long. */
const POLL_MS = 500

async function* followed(
  readers: readonly LogReader[],
  sources: readonly LogSource[],
  { isOver, clock, signal }: NonNullable<LogOptions['follow']>,
): AsyncGenerator<LogLine> {
  const bell = new Bell(sources.map(source => dirname(source.path)))
  try {
    while (signal?.aborted !== true) {
      // Asked before reading: what was written before the end is then read for certain.
      const over = await Promise.all(sources.map(source => isOver(source.container)))
      for (const reader of readers) yield* reader.fresh()
      if (over.every(Boolean)) {
        yield* readers.flatMap(reader => reader.rest())
        return
      }
      await bell.wait(POLL_MS, clock, signal)
    }
  } finally {
    bell.close()
  }
}

/** Rings when something in one of the directories changes. */
class Bell {
  readonly #watchers: FSWatcher[] = []
  #rung = false
  #wake: () => void = () => undefined

  constructor(directories: readonly string[]) {
    for (const directory of new Set(directories)) {
      try {
        const watcher = watch(directory, { persistent: false }, () => this.#ring())
        watcher.on('error', () => watcher.close())
        this.#watchers.push(watcher)
      } catch {
        // Not there yet, or out of inotify watches: polling serves.
      }
    }
  }

  #ring(): void {
    this.#rung = true
    this.#wake()
  }

  async wait(atMostMs: number, clock: Clock, signal?: AbortSignal): Promise<void> {
    const pause = new AbortController()
    const stop = signal === undefined ? pause.signal : AbortSignal.any([pause.signal, signal])
    const rung = new Promise<void>(resolve => {
      this.#wake = resolve
      if (this.#rung) resolve()
    })
    await Promise.race([rung, clock.sleep(atMostMs, stop).catch(() => undefined)])
    pause.abort()
    this.#rung = false
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close()
  }
}

const BLOCK_BYTES = 64 * 1024
const NEWLINE = 0x0a

/** Reads one log file on, across replacement by conmon. */
class LogReader {
  readonly #source: LogSource
  readonly #joiner: LineJoiner
  #file: FileHandle | undefined
  #position = 0
  /** Bytes of a line whose end is not written yet. */
  #pending: Buffer = Buffer.alloc(0)

  constructor(source: LogSource) {
    this.#source = source
    this.#joiner = new LineJoiner(source.container)
  }

  /** What is in the file now, at most the last `tail` lines. */
  async *present(tail: number | undefined): AsyncGenerator<LogLine> {
    this.#file = await openLog(this.#source.path)
    if (this.#file === undefined) return
    if (tail === undefined) return yield* this.#toEnd()
    const { size } = await this.#file.stat()
    this.#position = tail === 0 ? size : await tailStart(this.#file, size, tail)
    const lines: LogLine[] = []
    for await (const line of this.#toEnd()) {
      lines.push(line)
      if (lines.length > tail) lines.shift()
    }
    yield* lines
  }

  /** What was written since the last call. */
  async *fresh(): AsyncGenerator<LogLine> {
    this.#file ??= await openLog(this.#source.path)
    if (this.#file === undefined) return
    yield* this.#toEnd()
    const [mine, there] = await Promise.all([this.#file.stat(), statOrMissing(this.#source.path)])
    if (there === undefined || there.ino === mine.ino) {
      if (mine.size < this.#position) this.#restart()
      return
    }
    // Replaced: conmon wrote its last into the old file before it renamed the new one over it.
    yield* this.#toEnd()
    await this.#file.close()
    this.#file = await openLog(this.#source.path)
    this.#restart()
    yield* this.#toEnd()
  }

  rest(): LogLine[] {
    return this.#joiner.rest()
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  #restart(): void {
    this.#position = 0
    this.#pending = Buffer.alloc(0)
  }

  async *#toEnd(): AsyncGenerator<LogLine> {
    const block = Buffer.allocUnsafe(BLOCK_BYTES)
    for (;;) {
      const { bytesRead } = (await this.#file?.read(block, 0, BLOCK_BYTES, this.#position)) ?? { bytesRead: 0 }
      if (bytesRead === 0) return
      this.#position += bytesRead
      yield* this.#split(Buffer.concat([this.#pending, block.subarray(0, bytesRead)]))
    }
  }

  *#split(bytes: Buffer): Generator<LogLine> {
    let from = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      const entry = parseEntry(bytes.toString('utf8', from, end))
      from = end + 1
      const line = entry === undefined ? undefined : this.#joiner.add(entry)
      if (line !== undefined) yield line
    }
    // A file without any line end is not a log; it must not be gathered in memory.
    this.#pending = bytes.length - from > MAX_LINE_CHARS ? Buffer.alloc(0) : Buffer.from(bytes.subarray(from))
  }
}

/** Opens a log to read, undefined when it is not there. Links, devices and FIFOs are refused. */
async function openLog(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    if (isMissing(cause)) return undefined
    if ((cause as NodeJS.ErrnoException).code === 'ELOOP') throw unsafeLog(path, cause)
    throw cause
  }
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw unsafeLog(path)
}

const unsafeLog = (path: string, cause?: unknown): TspodError =>
  new TspodError('UNSAFE_PATH', `the log ${path} is not a plain file and is not read`, {
    remedy: `look at what is there: ls -l ${path}`,
    cause,
  })

async function statOrMissing(path: string): Promise<{ ino: number } | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/**
 * Where to begin so that at least the last `wanted` whole lines follow: reads backwards, block by block, until it
 * has seen one more complete line than wanted.
 */
async function tailStart(file: FileHandle, size: number, wanted: number): Promise<number> {
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  let seen = 0
  let carried = Buffer.alloc(0)
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - BLOCK_BYTES)
    const { bytesRead } = await file.read(block, 0, end - start, start)
    const bytes = Buffer.concat([block.subarray(0, bytesRead), carried])
    let lineEnd = bytes.length
    for (
      let at = bytes.lastIndexOf(NEWLINE, lineEnd - 1);
      at >= 0;
      at = at === 0 ? -1 : bytes.lastIndexOf(NEWLINE, at - 1)
    ) {
      if (isWholeLine(bytes.toString('latin1', at + 1, Math.min(lineEnd, at + 1 + ENTRY_HEAD_BYTES)))) seen++
      if (seen > wanted) return start + at + 1
      lineEnd = at
    }
    // What is before the first line end belongs to a line of the block before; only its head is ever looked at.
    carried = Buffer.from(bytes.subarray(0, Math.min(lineEnd, ENTRY_HEAD_BYTES)))
    end = start
  }
  return 0
}

/** Time, stream and tag fit in this. */
const ENTRY_HEAD_BYTES = 64
const isWholeLine = (head: string): boolean => parseEntry(head)?.full === true

const inOrder = (a: LogLine, b: LogLine): number =>
  a.timeMs - b.timeMs || (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)

/** Merges sequences that are each in the order of time into one. */
async function* merged(sequences: readonly AsyncGenerator<LogLine>[]): AsyncGenerator<LogLine> {
  const heads = await Promise.all(sequences.map(sequence => sequence.next()))
  for (;;) {
    let first = -1
    for (const [index, head] of heads.entries()) {
      if (head.done === true) continue
      const best = heads[first]
      if (best === undefined || best.done === true || inOrder(head.value, best.value) < 0) first = index
    }
    const head = heads[first]
    const sequence = sequences[first]
    if (head === undefined || head.done === true || sequence === undefined) return
    yield head.value
    heads[first] = await sequence.next()
  }
}
