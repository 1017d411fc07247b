/** Tables without borders, as kubectl prints them, and the units in their cells. */
import type { PortSpec } from '../model.ts'

const GAP = 3

/** Columns as wide as their widest cell; nothing is truncated. An empty cell shows as `-` would in kubectl: empty. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...lines.map(line => (line[column] ?? '').length)))
  return lines
    .map(line => {
      const cells = line.map((cell, column) => cell.padEnd((widths[column] ?? 0) + GAP))
      return `${cells.join('').trimEnd()}\n`
    })
    .join('')
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const YEAR = 365 * DAY

/** A duration as kubectl shows ages: two units while the second one still matters, one later (`90s`, `5m3s`, `3d`). */
export function age(ms: number): string {
  if (ms < 0) return '0s'
  if (ms < 2 * MINUTE) return `${Math.floor(ms / SECOND)}s`
  if (ms < 10 * MINUTE) return two(ms, MINUTE, 'm', SECOND, 's')
  if (ms < 3 * HOUR) return `${Math.floor(ms / MINUTE)}m`
  if (ms < 8 * HOUR) return two(ms, HOUR, 'h', MINUTE, 'm')
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)}h`
  if (ms < 8 * DAY) return two(ms, DAY, 'd', HOUR, 'h')
  if (ms < 2 * YEAR) return `${Math.floor(ms / DAY)}d`
  if (ms < 8 * YEAR) return two(ms, YEAR, 'y', DAY, 'd')
  return `${Math.floor(ms / YEAR)}y`
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small)
  return `${Math.floor(ms / large)}${largeName}${rest === 0 ? '' : `${rest}${smallName}`}`
}

/** Bytes in powers of 1000 with three significant digits, as Podman's image list. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))} ${units[unit]}`
}

/** Published ports as Podman shows them: `0.0.0.0:8080->80/tcp`; what is not published shows as `80/tcp`. */
export function portList(ports: readonly PortSpec[]): string {
  return ports
    .map(port => {
      const inside = `${port.containerPort}/${port.protocol}`
      if (port.hostPort === undefined) return inside
      return `${hostAddress(port)}->${inside}`
    })
    .join(', ')
}

/** Where a published port is on the host: `0.0.0.0:8080`, `[::1]:53`. */
export function hostAddress({ hostIp, hostPort }: Pick<PortSpec, 'hostIp' | 'hostPort'>): string {
  const address = hostIp === '' ? '0.0.0.0' : hostIp
  return `${address.includes(':') ? `[${address}]` : address}:${hostPort}`
}

/** The part of an id that people read. */
export const shortId = (id: string): string => id.slice(0, 12)

/** Milliseconds since 1970 as RFC 3339, for JSON. */
export const timestamp = (ms: number | undefined): string | null =>
  ms === undefined ? null : new Date(ms).toISOString()

/** JSON for scripts: one document, two blanks of indent. */
export const json = (data: unknown): string => `${JSON.stringify(data, null, 2)}\n`
