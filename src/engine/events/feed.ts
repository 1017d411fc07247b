/** Reading events: what was written, and what others are writing. */
import type { EngineContext } from '../context.ts'
import type { Row, Value } from '../state/index.ts'
import type { EventKind, EventRequest, EventView } from '../types/index.ts'

/** SQLite tells nobody that somebody else has written: followers look. */
const POLL_MS = 250
/** A reader that is slow does not make us hold ten thousand rows in memory. */
const BATCH = 500

/**
 * Events in the order in which they were written, those of the request's time first; with `follow` then whatever
 * comes, until `untilMs` or the signal.
 */
export async function* readEvents(
  { store, clock }: EngineContext,
  request: EventRequest,
  signal: AbortSignal,
): AsyncGenerator<EventView> {
  const { sinceMs, untilMs, follow } = request
  let after = request.past ? 0 : await newestId(store)
  while (!signal.aborted) {
    // Before the look: whatever is written later is of a later time.
    const over = !follow || (untilMs !== undefined && clock.nowMs() >= untilMs)
    const rows = await store.all('SELECT * FROM event WHERE id > ? AND at_ms >= ? AND at_ms <= ? ORDER BY id LIMIT ?', [
      after,
      sinceMs ?? 0,
      untilMs ?? Number.MAX_SAFE_INTEGER,
      BATCH,
    ])
    for (const row of rows) {
      after = Number(row.id)
      yield eventView(row)
    }
    if (rows.length === BATCH) continue
    if (over) return
    await clock.sleep(POLL_MS, signal).catch(() => undefined)
  }
}

async function newestId(store: EngineContext['store']): Promise<number> {
  const [row] = await store.all('SELECT max(id) AS id FROM event')
  return Number(row?.id ?? 0)
}

function eventView(row: Row): EventView {
  const text = (value: Value | undefined): string => String(value ?? '')
  const told = JSON.parse(text(row.attributes)) as Partial<Pick<EventView, 'facts' | 'labels'>>
  return {
    atMs: Number(row.at_ms),
    kind: text(row.kind) as EventKind,
    action: text(row.action),
    reason: text(row.reason),
    warning: row.warning === 1,
    object: text(row.object),
    name: text(row.name),
    podId: text(row.pod),
    podName: text(row.pod_name),
    message: text(row.message),
    facts: told.facts ?? {},
    labels: told.labels ?? {},
  }
}
