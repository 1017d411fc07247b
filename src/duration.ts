/** Durations as Go prints them, which is what scripts written for Podman read. */

/** `1h2m3.04s`, `250ms`, `40µs`, `0s`: to the microsecond. */
export function goDuration(ms: number): string {
  const microseconds = Math.round(ms * 1000)
  if (microseconds === 0) return '0s'
  if (microseconds < 1000) return `${microseconds}µs`
  if (microseconds < 1_000_000) return `${microseconds / 1000}ms`
  const seconds = microseconds / 1_000_000
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const rest = Number((seconds - hours * 3600 - minutes * 60).toFixed(6))
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${rest}s`
}
