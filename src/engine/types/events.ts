/** What `events` is asked for and what it tells: plain data, shared with the command line. */

/** What an event is about. */
export type EventKind = 'pod' | 'container' | 'image' | 'volume' | 'secret' | 'service' | 'job' | 'gitops' | 'system'

/** Something that happened. */
export type EventView = {
  atMs: number
  kind: EventKind
  /** Podman's word. */
  action: string
  /** Kubernetes' word; empty for what it does not tell of. */
  reason: string
  warning: boolean
  /** Its id; the name for a volume. */
  object: string
  name: string
  /** Empty for what belongs to no pod. */
  podId: string
  podName: string
  message: string
  /** exitCode, signal, image, … */
  facts: Record<string, string>
  labels: Record<string, string>
}

export type EventRequest = {
  /** True: what has happened already as well. */
  past: boolean
  sinceMs?: number
  untilMs?: number
  /** Goes on with what happens. */
  follow: boolean
}
