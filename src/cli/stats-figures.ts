/** Two readings of a container as the figures that `podman stats` shows. Pure; null is what cannot be known. */
import { goDuration } from '../duration.ts'
import type { Reading } from '../engine/index.ts'

export type Figures = {
  /** Of one CPU, since the reading before. */
  cpu: string | null
  /** Of one CPU, since the start. */
  averageCpu: string | null
  cpuTime: string | null
  memory: string | null
  memoryBytes: string | null
  memoryShare: string | null
  net: string | null
  io: string | null
  pids: string | null
}

/** The figures of `now`; without `before`, or when the container was started anew between the two, it has no CPU share. */
export function figures(now: Reading, before: Reading | undefined): Figures {
  const { cpuNs, memoryBytes, memoryLimitBytes, pids, io, net } = now.usage
  const spentNs = cpuNs === undefined ? undefined : cpuNs - (before?.usage.cpuNs ?? Number.POSITIVE_INFINITY)
  const elapsedMs = now.atMs - (before?.atMs ?? now.atMs)
  const limits = memoryBytes !== undefined && memoryLimitBytes !== undefined && Number.isFinite(memoryLimitBytes)
  return {
    cpu: spentNs !== undefined && spentNs >= 0 && elapsedMs > 0 ? percent(spentNs / 1e6 / elapsedMs) : null,
    averageCpu: cpuNs !== undefined && (now.upMs ?? 0) > 0 ? percent(cpuNs / 1e6 / (now.upMs ?? 1)) : null,
    cpuTime: cpuNs === undefined ? null : goDuration(cpuNs / 1e6),
    memory:
      memoryBytes === undefined ? null : `${humanSize(memoryBytes)} / ${limits ? humanSize(memoryLimitBytes) : '--'}`,
    memoryBytes: limits ? `${binarySize(memoryBytes)} / ${binarySize(memoryLimitBytes)}` : null,
    memoryShare: limits ? percent(memoryBytes / memoryLimitBytes) : null,
    net: net === undefined ? null : `${humanSize(net.receivedBytes)} / ${humanSize(net.sentBytes)}`,
    io: io === undefined ? null : `${humanSize(io.readBytes)} / ${humanSize(io.writtenBytes)}`,
    pids: pids === undefined ? null : String(pids),
  }
}

const percent = (share: number): string => `${(share * 100).toFixed(2)}%`

const humanSize = (bytes: number): string => scaled(bytes, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB'])
const binarySize = (bytes: number): string => scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'])

/** Four significant digits, as Podman prints sizes. */
function scaled(bytes: number, base: number, units: readonly string[]): string {
  let value = bytes
  let unit = 0
  while (value >= base && unit < units.length - 1) {
    value /= base
    unit += 1
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`
}
