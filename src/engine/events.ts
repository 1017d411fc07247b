/**
 * What happened, for `tspod events`: rows that are written in the same transaction as the change they tell of, with
 * Podman's word for it and Kubernetes' reason.
 */
import type { Id } from '../model.ts'
import type { PodWork } from './context.ts'
import type { ContainerRecord } from './records.ts'
import type { Transaction } from './store.ts'
import type { EventKind } from './types.ts'

export type NewEvent = {
  atMs: number
  kind: EventKind
  /** Podman's word: create, start, died, stop, … */
  action: string
  /** Kubernetes' word: Created, Started, Killing, BackOff, … */
  reason: string
  warning: boolean
  object: string
  name: string
  pod?: { id: Id; name: string }
  message: string
  attributes: Record<string, string>
}

/** Rows beyond this many are history that nobody asked to keep. */
const KEPT_EVENTS = 10_000
/** Looked at once in so many events, so that most transactions do not pay for it. */
const PRUNE_EVERY = 100

type Told = { action: string; reason: string; warning?: boolean; message?: string; attributes?: Record<string, string> }

/** Remembers an event of a container, or of the pod itself, for the pod's next transaction. */
export function noteEvent(work: PodWork, record: ContainerRecord | undefined, told: Told): void {
  const { pod, context } = work
  const subject =
    record === undefined
      ? { kind: pod.kind, object: pod.id, name: pod.name }
      : { kind: 'container' as const, object: record.id, name: record.name }
  work.events.push({
    atMs: context.clock.nowMs(),
    ...subject,
    action: told.action,
    reason: told.reason,
    warning: told.warning ?? false,
    pod: { id: pod.id, name: pod.name },
    message: told.message ?? '',
    attributes: told.attributes ?? {},
  })
}

/** Writes events and, now and then, forgets the oldest. */
export async function insertEvents(tx: Transaction, events: readonly NewEvent[]): Promise<void> {
  for (const event of events) {
    await tx.run(
      `INSERT INTO event (at_ms, kind, action, reason, warning, object, name, pod, pod_name, message, attributes)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        event.atMs,
        event.kind,
        event.action,
        event.reason,
        event.warning ? 1 : 0,
        event.object,
        event.name,
        event.pod?.id ?? null,
        event.pod?.name ?? null,
        event.message,
        JSON.stringify(event.attributes),
      ],
    )
  }
  if (events.length === 0) return
  const [last] = await tx.all('SELECT max(id) AS id FROM event')
  const newest = Number(last?.id ?? 0)
  if (newest % PRUNE_EVERY < events.length) await tx.run('DELETE FROM event WHERE id <= ?', [newest - KEPT_EVENTS])
}
