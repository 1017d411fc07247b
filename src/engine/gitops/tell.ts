/**
 * Telling others of a source: a program of root's that is run when there is news, and a file of metrics for a collector.
 * Both are checked when the source is added and each time again; what goes wrong with them later is a warning.
 */
import { lstat, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname } from 'node:path'
import { isMissing, isTspodError, TspodError } from '../../errors.ts'
import { openBeneath, writeAtomic } from '../../files.ts'
import { trustedFile } from '../../oci/index.ts'
import { failureText } from '../../process.ts'
import { isExecutableFile } from '../../programs.ts'
import { printable } from '../../words.ts'
import type { EngineContext } from '../context.ts'
import type { SourceWish } from '../types/index.ts'
import { type Measured, renderMetrics } from './metrics.ts'
import { type Message, messageOf, newsOf, type Reconciled } from './news.ts'
import { readSource, readSources, type SourceRecord } from './store.ts'

/** A message is sent in a moment, or is not worth that a reconcile waits for it. */
const NOTIFY_TIMEOUT_MS = 10_000
/** Of each stream; the last line is shown. */
const MAX_OUTPUT_BYTES = 64 * 1024

/** Throws when a source that is about to be added could not be told of; see `Gitops.add`. */
export async function requireTellable(context: EngineContext, { name, notify, metrics }: SourceWish): Promise<void> {
  if (notify !== undefined) notifierAt(notify)
  if (metrics === undefined) return
  const rival = (await readSources(context.store)).find(each => each.metrics === metrics && each.name !== name)
  if (rival !== undefined) {
    throw new TspodError('NAME_IN_USE', `${metrics} is the file of metrics of ${rival.name}`, {
      remedy: 'give each source a file of its own',
    })
  }
  await inItsDirectory(metrics, async path => {
    const found = await lstat(path).catch(error => {
      if (!isMissing(error)) throw error
    })
    if (found !== undefined && !found.isFile()) {
      throw new TspodError('USAGE', `${metrics} is there and is no regular file`, { remedy: 'name another one' })
    }
  })
}

/** The program as it is run. Throws TOOL_MISSING, and UNSAFE_PATH when others than root could change what root runs. */
function notifierAt(path: string): string {
  const real = trustedFile(path, 'is not run as root')
  if (real !== undefined && isExecutableFile(real)) return real
  const what = real === undefined ? `there is no program ${path}` : `${path} is no executable file`
  throw new TspodError('TOOL_MISSING', what, {
    remedy: 'put a program there (install -m 755 FILE TARGET); a script needs its #! line',
  })
}

/** Does something with a file, whose directory is there and is reached through no link. */
async function inItsDirectory<T>(file: string, act: (path: string) => Promise<T>): Promise<T> {
  const directory = dirname(file)
  const opened = (() => {
    try {
      return openBeneath('/', directory.slice(1), { acrossMounts: true })
    } catch (error) {
      if (isTspodError(error, 'UNSAFE_PATH')) {
        throw new TspodError('UNSAFE_PATH', error.message, { remedy: 'name the directory itself: realpath tells it' })
      }
      if (!isMissing(error)) throw error
      throw new TspodError('USAGE', `the directory of ${file} is not there`, {
        remedy: `make it (mkdir -p ${directory}), or name the one that the collector reads`,
        cause: error,
      })
    }
  })()
  try {
    if (!opened.stat.isDirectory()) {
      throw new TspodError('USAGE', `${directory} is no directory`, { remedy: 'name a file in one' })
    }
    return await act(`${opened.procPath}/${basename(file)}`)
  } finally {
    opened.close()
  }
}

/** Replaces the file of metrics of a source that has one. Not synced: the next reconcile writes it again. */
export async function writeMetrics(context: EngineContext, source: SourceRecord): Promise<void> {
  const { metrics } = source
  if (metrics === undefined) return
  await warned(context, `${metrics} is not written`, async () => {
    const text = renderMetrics([await measured(context, source)], context.clock.nowMs())
    await inItsDirectory(metrics, path => writeAtomic(path, text, 0o644, { durable: false }))
  })
}

/** Takes the file of metrics of a source that is removed away: it would stand still, and be believed. */
export async function removeMetrics(context: EngineContext, { metrics }: SourceRecord): Promise<void> {
  if (metrics === undefined) return
  await warned(context, `${metrics} is not removed`, () => inItsDirectory(metrics, path => rm(path, { force: true })))
}

/** The metrics of all sources. */
export async function allMetrics(context: EngineContext): Promise<string> {
  const sources = await readSources(context.store)
  return renderMetrics(await Promise.all(sources.map(source => measured(context, source))), context.clock.nowMs())
}

async function measured({ store }: EngineContext, source: SourceRecord): Promise<Measured> {
  const [row] = await store.all(
    `SELECT (SELECT count(*) FROM app_object WHERE app = ?) + (SELECT count(*) FROM gitops_unit WHERE source = ?) AS objects,
      (SELECT ended_ms - began_ms FROM gitops_run WHERE source = ? AND ended_ms IS NOT NULL ORDER BY id DESC LIMIT 1) AS took_ms`,
    [source.name, source.name, source.name],
  )
  const tookMs = row?.took_ms ?? null
  return { ...source, objects: Number(row?.objects), ...(tookMs !== null && { tookMs: Number(tookMs) }) }
}

/** Writes the metrics of a source whose lock is held, and answers what is to be told once it is not any more. */
export async function lookBack(context: EngineContext, { before, run }: Omit<Reconciled, 'after'>): Promise<Message[]> {
  const after = await readSource(context.store, before.name)
  await writeMetrics(context, after)
  if (after.notify === undefined) return []
  const facts = { source: after.name, host: hostname(), nowMs: context.clock.nowMs() }
  return newsOf({ before, run, after }).map(news => messageOf(news, facts))
}

/** Runs the source's program with each message, one after the other. */
export async function notify(context: EngineContext, program: string, messages: readonly Message[]): Promise<void> {
  for (const message of messages) {
    const { source, event, text, revision = '' } = message
    await warned(context, `nobody was told that ${text}`, async () => {
      const finished = await context.run({
        argv: [notifierAt(program)],
        env: { TSPOD_SOURCE: source, TSPOD_EVENT: event, TSPOD_TEXT: text, TSPOD_REVISION: revision },
        input: `${JSON.stringify(message)}\n`,
        keepBytes: MAX_OUTPUT_BYTES,
        timeoutMs: NOTIFY_TIMEOUT_MS,
      })
      if (finished.exitCode === 0) return
      throw new TspodError(
        'COMMAND_FAILED',
        `${program} has ended with ${finished.exitCode}: ${failureText(finished)}`,
        {
          remedy: `try it by hand: echo '{}' | ${program}`,
        },
      )
    })
  }
}

/** What fails here is not the source, and must not look so: people are warned. */
async function warned(context: EngineContext, what: string, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    const isOfHost = (error as NodeJS.ErrnoException).syscall !== undefined
    if (!isTspodError(error) && !isOfHost) throw error
    const remedy = isTspodError(error) ? ` (${error.remedy})` : ''
    context.warn(printable(`${what}: ${(error as Error).message}${remedy}`))
  }
}
