/** A pod of a list as scripts see it: our JSON names, which are stable, with Podman's beside them. */
import type { ListedPod } from '../engine/index.ts'
import { containerState } from './podman-words.ts'
import { containerRecord } from './ps-fields.ts'
import { shortId, timestamp } from './table.ts'
import { humanDuration, rfc3339, type Struct } from './template/index.ts'

/** What `table …` puts above a field (podman pod ps). */
export const POD_TITLES: Readonly<Record<string, string>> = {
  Cgroup: 'CGROUP',
  ContainerIds: 'IDS',
  ContainerNames: 'NAMES',
  ContainerStatuses: 'STATUS',
  Containers: 'CONTAINERS',
  Created: 'CREATED',
  ID: 'POD ID',
  Id: 'POD ID',
  InfraID: 'INFRA ID',
  InfraId: 'INFRA ID',
  Labels: 'LABELS',
  Name: 'NAME',
  Namespace: 'NAMESPACES',
  Networks: 'NETWORKS',
  NumberOfContainers: '# OF CONTAINERS',
  Restarts: 'RESTARTS',
  Status: 'STATUS',
}

/** What a template finds in a row of `pod ps`: the fields and methods of Podman's, ids shortened unless `full`. */
export function podFields(pod: ListedPod, { full, nowMs }: { full: boolean; nowMs: number }): Struct {
  const id = (text: string): string => (full ? text : shortId(text))
  return {
    Id: id(pod.id),
    Name: pod.name,
    Status: pod.state,
    Created: `${humanDuration(nowMs - pod.createdMs)} ago`,
    InfraId: id(infraId(pod)),
    Labels: new Map(Object.entries(pod.labels)),
    Label: (name: string) => pod.labels[name] ?? '',
    NumberOfContainers: pod.containers.length,
    Containers: containersOf(pod),
    ContainerIds: pod.containers.map(container => id(container.id)).join(','),
    ContainerNames: pod.containers.map(({ name }) => name).join(','),
    ContainerStatuses: pod.containers.map(containerState).join(','),
    Cgroup: pod.cgroup,
    Namespace: pod.namespace,
    Networks: pod.networks.join(','),
    Restarts: String(pod.restarts),
    toJSON: () => podJson(pod) as Struct,
  }
}

const infraId = (pod: ListedPod): string => pod.containers.find(({ kind }) => kind === 'infra')?.id ?? ''

const containersOf = (pod: ListedPod): { Id: string; Names: string; Status: string; RestartCount: number }[] =>
  pod.containers.map(container => ({
    Id: container.id,
    Names: container.name,
    Status: containerState(container),
    RestartCount: container.restarts,
  }))

/** The record of `pod ps --format json`. */
export function podJson(pod: ListedPod): Record<string, unknown> {
  return {
    ...podRecord(pod),
    Cgroup: pod.cgroup,
    Containers: containersOf(pod),
    Created: rfc3339(new Date(pod.createdMs)),
    Id: pod.id,
    InfraId: infraId(pod),
    Name: pod.name,
    Namespace: pod.namespace,
    Networks: pod.networks,
    Status: pod.state,
    Labels: pod.labels,
  }
}

function jobRecord({ finishedMs, ...job }: NonNullable<ListedPod['job']>): Record<string, unknown> {
  return { ...job, finished: timestamp(finishedMs) }
}

/** Our own names for what there is to say of a pod: these are stable. */
function podRecord(pod: ListedPod): Record<string, unknown> {
  return {
    id: pod.id,
    name: pod.name,
    namespace: pod.namespace,
    labels: pod.labels,
    phase: pod.phase,
    status: pod.reason,
    ...(pod.message !== undefined && { message: pod.message }),
    ready: pod.ready,
    total: pod.total,
    restarts: pod.restarts,
    created: timestamp(pod.createdMs),
    started: timestamp(pod.startedMs),
    ...(pod.activeUntilMs !== undefined && { activeUntil: timestamp(pod.activeUntilMs) }),
    ips: pod.ips,
    ports: pod.ports,
    runtime: pod.runtime,
    origin: pod.origin,
    ...(pod.job !== undefined && { job: jobRecord(pod.job) }),
    containers: pod.containers.map(containerRecord),
  }
}
