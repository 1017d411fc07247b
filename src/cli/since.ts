/** Points in time as `--since`, `--until` and filters take them. */
import { parseDuration } from '../duration.ts'
import type { Problem } from './flags.ts'

/**
 * Milliseconds since 1970: an age before `nowMs`, with a `+` a time after it, RFC 3339 or seconds since 1970; undefined
 * when it is none of these.
 */
export function parseSince(text: string, nowMs: number): number | undefined {
  if (/^\d{1,12}(\.\d{1,9})?$/.test(text)) return Number(text) * 1000
  const ahead = text.startsWith('+')
  const age = parseDuration(ahead ? text.slice(1) : text)
  if (age !== undefined) return ahead ? nowMs + age : nowMs - age
  if (!/^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?$/.test(text)) return undefined
  const parsed = Date.parse(text)
  return Number.isNaN(parsed) ? undefined : parsed
}

type Times = { since: string | undefined; until: string | undefined }

/** The bounds that `--since` and `--until` set, those that were given. An empty text is as none. */
export function timeBounds(flags: Times, nowMs: number): { sinceMs?: number; untilMs?: number } {
  const sinceMs = parseSince(flags.since ?? '', nowMs)
  const untilMs = parseSince(flags.until ?? '', nowMs)
  return { ...(sinceMs !== undefined && { sinceMs }), ...(untilMs !== undefined && { untilMs }) }
}

/** What is wrong with `--since` and `--until`. */
export function timeProblems(flags: Times): Problem[] {
  return (['since', 'until'] as const).flatMap(name => {
    const text = flags[name]
    if (text === undefined || text === '' || parseSince(text, 0) !== undefined) return []
    return [{ message: `invalid argument "${text}" for "--${name}" flag: no time and no age` }]
  })
}
