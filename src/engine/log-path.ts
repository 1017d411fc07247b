/** Where a container's lines go. */
import { join } from 'node:path'
import type { LogTarget } from '../oci/index.ts'
import { type Paths, podLogDirectory } from '../paths.ts'
import type { ContainerRecord, PodRecord } from './records.ts'

/** What conmon is told to write to. */
export function logTargets(paths: Paths, pod: PodRecord, record: ContainerRecord): LogTarget[] {
  const { driver, maxBytes } = pod.settings.log
  return [{ driver, path: logPath(paths, pod, record), maxBytes }]
}

/** The file that `logs` reads; empty when the driver keeps none. */
export function logPath(paths: Paths, pod: PodRecord, record: ContainerRecord): string {
  const { log } = pod.settings
  if (log.driver !== 'k8s-file' && log.driver !== 'json-file') return ''
  return log.path ?? join(podLogDirectory(paths, pod.name, pod.id), `${record.shortName}.log`)
}
