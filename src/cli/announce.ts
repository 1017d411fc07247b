/** What a command tells the service manager that started it, as it goes. */
import type { Clock } from '../clock.ts'
import type { Engine, PlayReport, Progress, Watch } from '../engine/index.ts'
import { processStart } from '../files.ts'
import type { Notifier } from '../systemd/index.ts'
import type { Outcome } from './verb.ts'

export type Announcer = {
  /** What a play hands over as it goes. */
  watch: Watch
  /** A word about an image that is being fetched. */
  fetching: Progress
  /** The service is up, and `main` stands for it. Without one nothing of it has started: that is for the exit code to say. */
  up(main: PlayReport['main']): void
  /** What the play ends with once it is known who stands for the service. */
  exitCode(report: PlayReport, engine: Engine, outcome: Outcome): Promise<number>
  /** It has come to nothing. */
  failed(error: unknown): void
  /** Waits until the manager has read all of it. To be called in the end, whatever became of the rest. */
  finish(): Promise<void>
}

/** What Podman asks for while it pulls. */
const FETCH_MS = 30_000
const FETCH_AGAIN_MS = 10_000
/** On top of a grace: for KILL, network and storage. */
const MARGIN_MS = 30_000

/** An announcer over one door to the manager. */
export function announcer(notifier: Notifier, clock: Clock): Announcer {
  let fetched: AbortController | undefined
  let reloads = false
  const endFetching = (): void => {
    fetched?.abort()
    fetched = undefined
  }
  return {
    watch: {
      reloading: () => {
        reloads = true
        notifier.reloading()
      },
      standing: text => {
        endFetching()
        notifier.status(text)
      },
      stopping: graceMs => {
        endFetching()
        notifier.extend(graceMs + MARGIN_MS)
      },
    },
    fetching: ({ object, text }) => {
      notifier.status(object === '' ? text : `${object}: ${text}`)
      if (fetched !== undefined) return
      fetched = new AbortController()
      void extendWhile(notifier, clock, fetched.signal)
    },
    up: main => {
      if (typeof main === 'number') notifier.ready(main)
      else if (reloads) notifier.unchanged()
    },
    exitCode: async ({ main, service }, engine, { exitCode = 0 }) => {
      await notifier.settled()
      const isThere = typeof main === 'number' && processStart(main) !== undefined
      // Of a process that is gone the manager will not hear: then this one is what it goes by.
      if (main === undefined || service === undefined || isThere) return exitCode
      return engine.serviceEnd(service, new AbortController().signal)
    },
    failed: error => {
      notifier.status(error instanceof Error ? error.message : String(error))
      if (reloads) notifier.unchanged()
    },
    finish: async () => {
      endFetching()
      await notifier.settled()
    },
  }
}

/** Fetching takes as long as it takes, and has deadlines of its own. */
async function extendWhile(notifier: Notifier, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    notifier.extend(FETCH_MS)
    await clock.sleep(FETCH_AGAIN_MS, signal).catch(() => undefined)
  }
}
