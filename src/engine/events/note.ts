/**
 * What happened, for `tspod events`: rows that are written in the same transaction as the change they tell of, with
 * Podman's word for it and Kubernetes' reason.
 */
import type { Id } from '../../model.ts'
import type { EngineContext, PodWork } from '../context.ts'
import type { Transaction } from '../state/index.ts'
import { type ContainerRecord, specNamed } from '../state/index.ts'
import type { ContainerView, EventKind } from '../types/index.ts'

export type NewEvent = {
  atMs: number
  kind: EventKind
  /** Podman's word: create, start, died, stop, … */
  action: string
  /** Kubernetes' word: Created, Started, Killing, BackOff, …; empty for what Kubernetes does not tell of. */
  reason: string
  warning: boolean
  object: string
  name: string
  pod?: { id: Id; name: string }
  message: string
  /** Facts of this event: exitCode, signal, image, … */
  facts: Record<string, string>
  /** Of the pod. */
  labels: Record<string, string>
}

/** Rows beyond this many are history that nobody asked to keep. */
const KEPT_EVENTS = 10_000
/** Looked at once in so many events, so that most transactions do not pay for it. */
const PRUNE_EVERY = 100

type Told = { action: string; reason: string; warning?: boolean; message?: string; facts?: Record<string, string> }
type About = Pick<NewEvent, 'kind' | 'object' | 'name' | 'pod' | 'labels'>

/** An event about something, now. */
export function eventAbout(
  nowMs: number,
  about: About,
  { warning = false, message = '', facts = {}, ...told }: Told,
): NewEvent {
  return { atMs: nowMs, ...about, ...told, warning, message, facts }
}

/** Remembers an event of a container, or of the pod itself, for the pod's next transaction. */
export function noteEvent(work: PodWork, record: ContainerRecord | undefined, told: Told): void {
  const { pod, context } = work
  const { labels } = pod.spec
  const subject =
    record === undefined
      ? { kind: pod.kind, object: pod.id, name: pod.name }
      : { kind: 'container' as const, object: record.id, name: record.name }
  const image = record && specNamed(pod.spec, record.shortName)?.image
  const facts = { ...told.facts, ...(image !== undefined && { image }) }
  const about = { ...subject, pod: { id: pod.id, name: pod.name }, labels }
  work.events.push(eventAbout(context.clock.nowMs(), about, { ...told, facts }))
}

/** Tells at once of something that changes no record: a look into a container, a pull. What cannot be told stops nobody. */
export async function tell(context: EngineContext, about: Omit<About, 'labels'>, told: Told): Promise<void> {
  const event = eventAbout(context.clock.nowMs(), { ...about, labels: {} }, told)
  await context.store
    .write(tx => insertEvents(tx, [event]))
    .catch(error => context.note(`the event ${told.action} of ${about.name} is not recorded: ${error.message}`))
}

/** The same for a container. */
export const tellOf = (context: EngineContext, container: ContainerView, told: Told): Promise<void> =>
  tell(context, aboutContainer(container), { ...told, facts: { ...told.facts, image: container.image } })

/** An event of a container, now, for a transaction of the caller's. */
export const eventOf = (nowMs: number, container: ContainerView, told: Told): NewEvent =>
  eventAbout(
    nowMs,
    { ...aboutContainer(container), labels: {} },
    { ...told, facts: { ...told.facts, image: container.image } },
  )

const aboutContainer = ({ id, name, pod, podId }: ContainerView): Omit<About, 'labels'> => ({
  kind: 'container',
  object: id,
  name,
  pod: { id: podId, name: pod },
})

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
        JSON.stringify({ facts: event.facts, labels: event.labels }),
      ],
    )
  }
  if (events.length === 0) return
  const [last] = await tx.all('SELECT max(id) AS id FROM event')
  const newest = Number(last?.id ?? 0)
  if (newest % PRUNE_EVERY < events.length) await tx.run('DELETE FROM event WHERE id <= ?', [newest - KEPT_EVENTS])
}
