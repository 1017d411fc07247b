/** Times and durations as Go and Podman write them. */

/** Go's zero time: what Podman shows where something has not happened yet. */
export const ZERO_TIME: Date = zeroTime()

function zeroTime(): Date {
  const time = new Date(0)
  time.setUTCFullYear(1, 0, 1)
  return time
}

/** RFC 3339 in UTC without the zeros at the end of a fraction, as Go's time.Time in JSON. */
export const rfc3339 = (time: Date): string => time.toISOString().replace(/\.?0*Z$/, 'Z')

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const WEEK = 7 * DAY
const MONTH = 30 * DAY
const YEAR = 365 * DAY

/** A duration in words, as Podman's STATUS has them (docker/go-units, HumanDuration): `5 minutes`, `About an hour`. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < MINUTE) return `${seconds} seconds`
  const minutes = Math.floor(seconds / MINUTE)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.round(seconds / HOUR)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  if (seconds < 2 * WEEK) return `${Math.floor(seconds / DAY)} days`
  if (seconds < 2 * MONTH) return `${Math.floor(seconds / WEEK)} weeks`
  if (seconds < 2 * YEAR) return `${Math.floor(seconds / MONTH)} months`
  return `${Math.floor(seconds / YEAR)} years`
}
