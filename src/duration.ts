/** Durations as Go prints and reads them, which is what scripts written for Podman have. */

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

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `1h30m`, `2.5s`, `250ms`, and `2d` as nobody but people have it, in milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d{1,9}(\.\d{1,9})?(ms|[smhd]))+$/.test(text)) return undefined
  const parts = [...text.matchAll(/([\d.]+)(ms|[smhd])/g)]
  return parts.reduce((sum, [, amount, unit = 's']) => sum + Number(amount) * (UNIT_MS[unit] ?? 0), 0)
}
