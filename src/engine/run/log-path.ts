/** Where a container's lines go. */
import { join } from 'node:path'
import type { LogTarget } from '../../oci/index.ts'
import { type Paths, podLogDirectory } from '../../paths.ts'
import type { ContainerRecord, PodRecord } from '../state/index.ts'

/**
 * What conmon is told to write to: a file that `logs` reads, whatever the driver, and the journal as well where
 * systemd keeps one, so that `journalctl` shows the same lines, with the name of container and pod.
 */
export function logTargets(paths: Paths, pod: PodRecord, record: ContainerRecord, journal: boolean): LogTarget[] {
  const { driver, maxBytes } = pod.settings.log
  const path = logPath(paths, pod, record)
  if (path === '') return [{ driver, path, maxBytes }]
  const file: LogTarget = { driver: 'k8s-file', path, maxBytes }
  return journal ? [file, { driver: 'journald', path: '', maxBytes: 0, tag: pod.name }] : [file]
}

/** The file that `logs` reads; empty when the driver keeps none. */
export function logPath(paths: Paths, pod: PodRecord, record: ContainerRecord): string {
  const { log } = pod.settings
  if (log.driver === 'none' || log.driver === 'passthrough') return ''
  return log.path ?? join(podLogDirectory(paths, pod.name, pod.id), `${record.shortName}.log`)
}
