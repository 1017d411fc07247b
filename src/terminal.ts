/** The door to the person, or the pipes, at the other end of this process: bytes, size, raw mode and signals. */
import type { Readable, Writable } from 'node:stream'

export type Size = { rows: number; columns: number }

/** Signals that mean the program someone looks at rather than the one that shows it. */
export const PROXIED_SIGNALS = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
] as const satisfies NodeJS.Signals[]

export type Terminal = {
  readonly inputIsTerminal: boolean
  readonly outputIsTerminal: boolean
  /**
   * Hands over standard input piece by piece; the next piece is read once `take` has settled. Resolves at the end of
   * input, when `take` answers false, or when `signal` is aborted, after which nothing keeps this process alive.
   */
  read(take: (bytes: Buffer) => Promise<boolean>, signal: AbortSignal): Promise<void>
  /** Resolves when the bytes were taken; bytes that nobody reads any more are dropped. */
  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void>
  /** Aborted once nobody reads standard output any more. */
  readonly closed: AbortSignal
  /** The size of the terminal, undefined without one. */
  size(): Size | undefined
  /** Calls `listener` whenever the size has changed; answers a function that ends that. */
  onResize(listener: () => void): () => void
  /** Keys come one by one, unechoed and without a meaning; no effect without a terminal. */
  setRaw(raw: boolean): void
  /**
   * From now on signals go to `handler`, SIGINT, SIGTERM and SIGHUP as well, which end a command otherwise. Answers a
   * function that puts everything back.
   */
  takeSignals(handler: (name: NodeJS.Signals) => void): () => void
}

type Input = Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown }
type Output = Writable & { readonly isTTY?: boolean; readonly rows?: number; readonly columns?: number }

/** The streams of a process; `input` is a function because standard input, once opened, keeps a process alive. */
export type Streams = { input: () => Input; stdout: Output; stderr: Output; closed: AbortSignal }

/** A terminal over the standard streams; `takeSignals` is main.ts's. */
export function openTerminal(streams: Streams, takeSignals: Terminal['takeSignals']): Terminal {
  const { input, stdout, stderr, closed } = streams
  return {
    inputIsTerminal: input().isTTY === true,
    outputIsTerminal: stdout.isTTY === true,
    read: (take, signal) => readAll(input(), take, signal),
    write: (stream, bytes) => {
      const target = stream === 'stdout' ? stdout : stderr
      if (target.destroyed || (stream === 'stdout' && closed.aborted)) return Promise.resolve()
      // An error is the reader's going away: `closed` tells it to whoever cares.
      return new Promise(resolve => target.write(bytes, () => resolve()))
    },
    closed,
    size: () => (stdout.rows && stdout.columns ? { rows: stdout.rows, columns: stdout.columns } : undefined),
    onResize: listener => {
      stdout.on('resize', listener)
      return () => stdout.off('resize', listener)
    },
    setRaw: raw => {
      const stream = input()
      // A terminal that was closed underneath has nothing left to put back.
      if (stream.isTTY === true && !stream.destroyed) stream.setRawMode?.(raw)
    },
    takeSignals,
  }
}

async function readAll(input: Input, take: (bytes: Buffer) => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const stop = (): void => {
    input.destroy()
  }
  if (signal.aborted) return stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    for await (const bytes of input) {
      if (signal.aborted || !(await take(bytes as Buffer))) return
    }
  } catch (error) {
    // Destroyed on purpose, or a terminal that hung up (EIO): either way there is no more input.
    if (!signal.aborted && (error as NodeJS.ErrnoException).code !== 'EIO') throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
