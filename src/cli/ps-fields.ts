/** A container of a list as scripts see it: our JSON names, which are stable, with Podman's beside them. */
import { readlinkSync } from 'node:fs'
import type { ContainerView } from '../engine/index.ts'
import type { PortSpec } from '../model.ts'
import type { ContainerRow } from './filter.ts'
import { containerState, containerStatus } from './podman-words.ts'
import { portList, shortId, timestamp } from './table.ts'
import { goTime, humanDuration, type Struct, ZERO_TIME } from './template/index.ts'

/** What `table …` puts above a field (podman ps). */
export const CONTAINER_TITLES: Readonly<Record<string, string>> = {
  AutoRemove: 'AUTO REMOVE',
  Cgroup: 'CGROUPNS',
  Command: 'COMMAND',
  Created: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedHuman: 'CREATED',
  ExitCode: 'EXIT CODE',
  Exited: 'EXITED',
  ExitedAt: 'EXITED AT',
  ID: 'CONTAINER ID',
  Id: 'CONTAINER ID',
  IPC: 'IPC',
  Image: 'IMAGE',
  ImageID: 'IMAGE ID',
  IsInfra: 'IS INFRA',
  Labels: 'LABELS',
  MNT: 'MNT',
  Mounts: 'MOUNTS',
  NET: 'NET',
  Names: 'NAMES',
  Networks: 'NETWORKS',
  PIDNS: 'PIDNS',
  Pid: 'PID',
  Pod: 'POD ID',
  PodName: 'PODNAME',
  Ports: 'PORTS',
  Restarts: 'RESTARTS',
  RunningFor: 'RUNNING FOR',
  StartedAt: 'STARTED AT',
  State: 'STATE',
  Status: 'STATUS',
  UTS: 'UTS',
  User: 'USERNS',
}

export type Namespaces = {
  Cgroup: string
  IPC: string
  MNT: string
  NET: string
  PIDNS: string
  User: string
  UTS: string
}

const NAMESPACE_FILES: { readonly [Name in keyof Namespaces]: string } = {
  Cgroup: 'cgroup',
  IPC: 'ipc',
  MNT: 'mnt',
  NET: 'net',
  PIDNS: 'pid',
  User: 'user',
  UTS: 'uts',
}

/** The inode numbers of a process's namespaces; empty texts without a process. */
export function namespacesOf(pid: number | undefined): Namespaces {
  const read = (file: string): string => {
    if (pid === undefined) return ''
    try {
      return /\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/${file}`))?.[1] ?? ''
    } catch {
      // It has just ended.
      return ''
    }
  }
  return Object.fromEntries(Object.entries(NAMESPACE_FILES).map(([name, file]) => [name, read(file)])) as Namespaces
}

export type FieldOptions = { full: boolean; nowMs: number; namespaces: boolean }

const COMMAND_LENGTH = 17

/** What a template finds in a row of `ps`: the fields and methods of Podman's, ids shortened unless `full`. */
export function containerFields(row: ContainerRow, how: FieldOptions): Struct {
  const { pod, container } = row
  const id = (text: string): string => (how.full ? text : shortId(text))
  const command = container.command.join(' ')
  const ago = `${humanDuration(how.nowMs - container.createdMs)} ago`
  const created = new Date(container.createdMs)
  const namespaces = namespacesOf(how.namespaces ? container.pid : undefined)
  return {
    ID: id(container.id),
    Names: container.name,
    Image: container.image,
    ImageID: id(container.imageId),
    Command: how.full || command.length <= COMMAND_LENGTH ? command : `${command.slice(0, COMMAND_LENGTH)}...`,
    Created: created,
    CreatedAt: goTime(created),
    CreatedHuman: ago,
    RunningFor: ago,
    StartedAt: seconds(container.startedMs),
    Status: containerStatus(container, how.nowMs),
    State: containerState(container),
    Exited: containerState(container) === 'exited',
    ExitedAt: seconds(container.finishedMs),
    ExitCode: container.exitCode ?? 0,
    Pid: container.pid ?? 0,
    Restarts: String(container.restarts),
    Ports: portList(container.ports.filter(port => port.hostPort !== undefined)),
    Pod: pod.kind === 'pod' ? id(pod.id) : '',
    PodName: pod.kind === 'pod' ? pod.name : '',
    Labels: new Map(Object.entries(pod.labels)),
    Label: (name: string) => pod.labels[name] ?? '',
    Mounts: container.mounts.map(({ path }) => path),
    Networks: pod.networks.join(','),
    IsInfra: container.kind === 'infra',
    AutoRemove: false,
    Namespaces: { ...namespaces },
    ...namespaces,
    toJSON: () => containerJson(row, how) as Struct,
  }
}

/** The record of `ps --format json`. */
export function containerJson(row: ContainerRow, how: FieldOptions): Record<string, unknown> {
  const { pod, container } = row
  const ports = container.ports.filter(port => port.hostPort !== undefined)
  return {
    ...containerRecord(container),
    AutoRemove: false,
    Command: container.command,
    CreatedAt: `${humanDuration(how.nowMs - container.createdMs)} ago`,
    Exited: containerState(container) === 'exited',
    ExitedAt: seconds(container.finishedMs),
    ExitCode: container.exitCode ?? 0,
    Id: container.id,
    Image: container.image,
    ImageID: container.imageId,
    IsInfra: container.kind === 'infra',
    Labels: pod.labels,
    Mounts: container.mounts.map(({ path }) => path),
    Names: [container.name],
    Namespaces: how.namespaces ? namespacesOf(container.pid) : {},
    Networks: pod.networks,
    Pid: container.pid ?? 0,
    Pod: pod.kind === 'pod' ? pod.id : '',
    PodName: pod.kind === 'pod' ? pod.name : '',
    Ports: ports.length === 0 ? null : ports.map(portMapping),
    Restarts: container.restarts,
    Size: null,
    StartedAt: seconds(container.startedMs),
    State: containerState(container),
    Status: containerStatus(container, how.nowMs),
    Created: seconds(container.createdMs),
  }
}

/** Seconds since 1970; Go's zero time where something has not happened. */
const seconds = (ms: number | undefined): number => Math.floor((ms ?? ZERO_TIME.getTime()) / 1000)

const portMapping = (port: PortSpec): Record<string, unknown> => ({
  host_ip: port.hostIp,
  container_port: port.containerPort,
  host_port: port.hostPort ?? 0,
  range: 1,
  protocol: port.protocol,
})

/** Our own names for what there is to say of a container: these are stable. */
export function containerRecord(container: ContainerView): Record<string, unknown> {
  return {
    id: container.id,
    name: container.name,
    shortName: container.shortName,
    pod: container.pod,
    podId: container.podId,
    kind: container.kind,
    image: container.image,
    imageId: container.imageId,
    state: container.state,
    status: container.reason,
    message: container.message,
    pid: container.pid ?? null,
    exitCode: container.exitCode ?? null,
    ready: container.ready,
    health: container.health ?? null,
    restarts: container.restarts,
    created: timestamp(container.createdMs),
    started: timestamp(container.startedMs),
    finished: timestamp(container.finishedMs),
    nextStart: timestamp(container.nextStartMs),
    command: container.command,
    ports: container.ports,
    logPath: container.logPath,
  }
}
