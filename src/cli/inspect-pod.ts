/**
 * `inspect` of a pod: the record of `podman pod inspect` (libpod/define, InspectPodData), filled in from what the engine
 * knows, and our own names after it. Pure.
 */
import { dirname } from 'node:path'
import type { InspectedPod } from '../engine/index.ts'
import { portBindings } from './inspect-network.ts'
import { containerState, restartPolicyName } from './podman-words.ts'
import type { Struct } from './template/index.ts'

/** The record for JSON and for templates. */
export function podInspection(inspected: InspectedPod): Struct {
  const { view, spec } = inspected
  const infra = view.containers.find(({ kind }) => kind === 'infra')
  return {
    Id: view.id,
    Name: view.name,
    Namespace: view.namespace,
    Created: new Date(view.createdMs),
    ExitPolicy: 'stop',
    State: view.state,
    Hostname: spec.hostname,
    Labels: new Map(Object.entries(view.labels)),
    CreateCgroup: true,
    CgroupParent: dirname(view.cgroup),
    CgroupPath: view.cgroup,
    CreateInfra: infra !== undefined,
    InfraContainerID: infra?.id ?? '',
    InfraConfig: infraConfig(inspected),
    SharedNamespaces: sharedNamespaces(inspected),
    NumContainers: view.containers.length,
    Containers: view.containers.map(container => ({
      Id: container.id,
      Name: container.name,
      State: containerState(container),
    })),
    RestartPolicy: restartPolicyName(view.restartPolicy),
    ...ours(inspected),
  }
}

/** What `tspod inspect` has called things from its beginning. */
const ours = ({ view, conditions, goal, settings, sandbox, spec }: InspectedPod): Struct =>
  ({ ...view, conditions, goal, settings, sandbox: sandbox ?? null, spec }) as unknown as Struct

function infraConfig({ view, spec, settings }: InspectedPod): Struct {
  return {
    PortBindings: portBindings(view.ports),
    HostNetwork: settings.network === 'host',
    StaticIP: '',
    StaticMAC: settings.attachments[0]?.mac ?? '',
    NoManageResolvConf: false,
    DNSServer: spec.dns.nameservers,
    DNSSearch: spec.dns.searches,
    DNSOption: spec.dns.options.map(({ name, value }) => (value === undefined ? name : `${name}:${value}`)),
    NoManageHosts: settings.noHosts,
    HostAdd: spec.hostAliases.flatMap(({ ip, hostnames }) => hostnames.map(name => `${name}:${ip}`)),
    Networks: view.networks,
    NetworkOptions: null,
    pid_ns: spec.hostPid ? 'host' : 'private',
    userns: settings.userns === undefined ? 'host' : 'private',
  }
}

function sharedNamespaces({ spec, settings }: InspectedPod): string[] {
  return [
    ...(spec.hostIpc ? [] : ['ipc']),
    ...(settings.network === 'host' ? [] : ['net', 'uts']),
    ...(spec.shareProcessNamespace && !spec.hostPid ? ['pid'] : []),
    ...(settings.userns === undefined ? [] : ['user']),
  ]
}
