/** The networks and ports of a pod in the form of `podman inspect` (libpod/define, InspectNetworkSettings). Pure. */
import { join } from 'node:path'
import type { InspectedContainer, InspectedPod } from '../engine/index.ts'
import type { PortSpec } from '../model.ts'
import type { NetavarkInput } from '../oci/index.ts'
import type { Struct, Value } from './template/index.ts'

type Pod = Omit<InspectedPod, 'kind'>

/** Published ports by `80/tcp`, each with the addresses of the host it is reached at. */
export function portBindings(ports: readonly PortSpec[]): ReadonlyMap<string, Value> {
  const bindings = new Map<string, Struct[]>()
  for (const { containerPort, protocol, hostPort, hostIp } of ports) {
    if (hostPort === undefined) continue
    const key = `${containerPort}/${protocol}`
    bindings.set(key, [...(bindings.get(key) ?? []), { HostIp: hostIp, HostPort: String(hostPort) }])
  }
  return bindings
}

/** Ids of those that have to be there before this one: the owner of a shared PID namespace, what it waits for. */
export function dependencies({ view, pod, spec }: InspectedContainer): string[] {
  const names: readonly string[] = spec?.dependsOn ?? []
  return pod.view.containers
    .filter(other => (other.kind === 'infra' && view.kind !== 'infra') || names.includes(other.shortName))
    .map(({ id }) => id)
}

/** What all containers of the pod share: its addresses and ports. Those of the first network stand at the top. */
export function networkSettings(pod: Pod): Struct {
  const networks = networksOf(pod)
  const [first] = networks.values()
  return {
    ...(first === undefined ? NO_ADDRESS : addressPart(first)),
    Bridge: '',
    SandboxID: '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    Ports: portBindings(pod.view.ports),
    SandboxKey: pod.settings.network === 'host' || pod.sandbox === undefined ? '' : join(pod.sandbox.namespaces, 'net'),
    Networks: networks,
  }
}

const NO_ADDRESS = {
  EndpointID: '',
  Gateway: '',
  IPAddress: '',
  IPPrefixLen: 0,
  IPv6Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  MacAddress: '',
} as const

function addressPart(network: Struct): Struct {
  return Object.fromEntries(Object.keys(NO_ADDRESS).map(name => [name, network[name]]))
}

function networksOf({ settings, sandbox }: Pod): ReadonlyMap<string, Struct> {
  const input = sandbox?.network as NetavarkInput | undefined
  return new Map(
    settings.attachments.map(({ network, address, mac, aliases }) => {
      const info = input?.network_info[network]
      const joined = input?.networks[network]
      const addresses = joined?.static_ips ?? [address]
      const ipv4 = addresses.find(one => !one.includes(':'))
      const ipv6 = addresses.find(one => one.includes(':'))
      const subnet = (wanted: boolean): { gateway: string; prefix: number } => {
        const found = info?.subnets.find(one => one.subnet.includes(':') === wanted)
        return { gateway: found?.gateway ?? '', prefix: Number(found?.subnet.split('/')[1] ?? 0) }
      }
      const record = {
        ...NO_ADDRESS,
        ...(ipv4 !== undefined && {
          IPAddress: ipv4,
          IPPrefixLen: subnet(false).prefix,
          Gateway: subnet(false).gateway,
        }),
        ...(ipv6 !== undefined && {
          GlobalIPv6Address: ipv6,
          GlobalIPv6PrefixLen: subnet(true).prefix,
          IPv6Gateway: subnet(true).gateway,
        }),
        MacAddress: joined?.static_mac ?? mac ?? '',
        NetworkID: network,
        DriverOpts: null,
        IPAMConfig: null,
        Links: null,
        Aliases: joined?.aliases ?? aliases,
      }
      return [network, record]
    }),
  )
}
