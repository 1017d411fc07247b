/** A pod that no manifest describes and that has no containers of its own. */
import type { PodName, PodSpec } from '../../model.ts'

/** As a manifest without any field would have it; `kind` says in messages and `inspect` where it comes from. */
export function emptyPodSpec(name: string, kind: string): PodSpec {
  return {
    name: name as PodName,
    namespace: 'default',
    labels: {},
    annotations: {},
    origin: { kind, name, place: { file: '', line: 1, column: 1 } },
    hostname: name.slice(0, 63),
    hostAliases: [],
    dns: { policy: 'cluster', nameservers: [], searches: [], options: [] },
    restartPolicy: 'Always',
    graceMs: 30_000,
    hostNetwork: false,
    hostPid: false,
    hostIpc: false,
    shareProcessNamespace: false,
    sysctls: {},
    security: { supplementalGroups: [] },
    volumes: [],
    initContainers: [],
    containers: [],
    serviceAccountName: 'default',
  }
}
