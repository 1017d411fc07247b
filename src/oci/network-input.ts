/** A pod's part of its networks: the address it gets, and what netavark is told. Pure. */
import { TspodError } from '../errors.ts'
import type { PortSpec } from '../model.ts'
import { formatIp, type Ip, inSubnet, lastOf, offset, parseIp, parseSubnet, type Subnet } from './ip.ts'
import type { NetworkDefinition } from './network-define.ts'

/**
 * The address for one more pod: `wanted`, or the lowest that nobody has, in the network's first subnet and its lease
 * range. The network's own, the gateway's and an IPv4 broadcast address are never given.
 * Throws NO_FREE_ADDRESS when all are taken, or `wanted` is taken or not in the subnet.
 */
export function nextAddress(network: NetworkDefinition, taken: ReadonlySet<string>, wanted?: string): string {
  const first = network.subnets[0]
  const subnet = parseSubnet(first?.subnet ?? '')
  if (first === undefined || subnet === undefined) throw new Error(`network ${network.name} has no subnet`)
  const refuse = (why: string, remedy: string): TspodError =>
    new TspodError('NO_FREE_ADDRESS', `network ${network.name} (${first.subnet}): ${why}`, { remedy })
  const lowest = subnet.base.value + 1n
  const highest = lastOf(subnet).value - (subnet.base.family === 4 ? 1n : 0n)
  const usable = (ip: Ip): boolean => ip.value >= lowest && ip.value <= highest && formatIp(ip) !== first.gateway

  if (wanted !== undefined) {
    const ip = parseIp(wanted)
    if (ip === undefined)
      throw refuse(`${JSON.stringify(wanted)} is not an IP address`, 'give an address like 10.91.0.10')
    if (!inSubnet(ip, subnet) || !usable(ip))
      throw refuse(
        `${wanted} is not an address for a pod`,
        `choose one in ${first.subnet}, other than the gateway ${first.gateway}`,
      )
    if (taken.has(formatIp(ip)))
      throw refuse(`${wanted} is taken`, 'choose another address, or remove the pod that has it')
    return formatIp(ip)
  }
  const start = parseIp(first.lease_range?.start_ip ?? '')?.value ?? lowest
  const end = parseIp(first.lease_range?.end_ip ?? '')?.value ?? highest
  // At most one more step than addresses taken: each step either ends the search or meets a taken address or the gateway.
  for (let value = start; value <= end; value += 1n) {
    const ip: Ip = { family: subnet.base.family, value }
    if (usable(ip) && !taken.has(formatIp(ip))) return formatIp(ip)
  }
  throw refuse(`all addresses are taken (${taken.size})`, 'remove pods, or use a network with a larger subnet')
}

/** One network that a pod joins. */
export type Attachment = {
  definition: NetworkDefinition
  /** Leased by `nextAddress`; addresses in further subnets follow from it. */
  address: string
  mac?: string
  /** Further names that aardvark-dns answers with this pod's address. */
  aliases: string[]
  /** Default: `eth0`, `eth1`, … in the order of the attachments. */
  interfaceName?: string
}

export type NetavarkInput = {
  container_id: string
  container_name: string
  networks: Record<string, { static_ips: string[]; static_mac?: string; interface_name: string; aliases: string[] }>
  network_info: Record<string, NetworkDefinition>
  port_mappings: { host_ip: string; container_port: number; host_port: number; range: 1; protocol: string }[]
  dns_servers?: string[]
}

/**
 * What netavark's `setup` and `teardown` read; the same text has to be kept for the teardown. Ports without a host
 * port are not published; `dnsServers` are asked by aardvark-dns for what is not a pod's name. What netavark would refuse is refused here, since it could
 * then not be torn down either; aliases end up in a file of lines (S14). Throws NETWORK_FAILED.
 */
export function netavarkInput(
  pod: { id: string; name: string },
  attachments: readonly Attachment[],
  ports: readonly PortSpec[],
  dnsServers: readonly string[] = [],
): NetavarkInput {
  return {
    container_id: pod.id,
    container_name: pod.name,
    networks: Object.fromEntries(
      attachments.map((attachment, index) => [
        attachment.definition.name,
        {
          static_ips: addressesFor(attachment.definition, attachment.address),
          ...(attachment.mac !== undefined && { static_mac: aMac(attachment.mac) }),
          interface_name: attachment.interfaceName ?? `eth${index}`,
          aliases: [...new Set([pod.name, ...attachment.aliases].map(aName))],
        },
      ]),
    ),
    network_info: Object.fromEntries(attachments.map(({ definition }) => [definition.name, definition])),
    port_mappings: ports.flatMap(port =>
      port.hostPort === undefined
        ? []
        : [
            {
              host_ip: aHostIp(port.hostIp),
              container_port: port.containerPort,
              host_port: port.hostPort,
              range: 1 as const,
              protocol: port.protocol,
            },
          ],
    ),
    ...(dnsServers.length > 0 && { dns_servers: [...dnsServers] }),
  }
}

/**
 * All addresses of a pod in a network with several subnets: the leased one, and at the same distance from the base of
 * each further subnet, so that one lease keeps all of them unique.
 */
export function addressesFor(network: NetworkDefinition, address: string): string[] {
  const [first, ...further] = network.subnets.map(({ subnet }) => parseSubnet(subnet) as Subnet)
  const leased = parseIp(address)
  if (first === undefined || leased === undefined)
    throw new Error(`not an address of network ${network.name}: ${address}`)
  const distance = leased.value - first.base.value
  return [address, ...further.map(subnet => formatIp(offset(subnet.base, distance)))]
}

/** Empty stands for all addresses of the host. */
function aHostIp(text: string): string {
  if (text === '' || text === '0.0.0.0' || text === '::') return ''
  if (parseIp(text) !== undefined) return text
  throw refused(
    `${JSON.stringify(text)} is not an address of this host`,
    'give hostIP as an IP address, or leave it out',
  )
}

/** A bridge would not deliver to a group address. */
function aMac(text: string): string {
  if (/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(text)) return text.toLowerCase()
  throw refused(`${JSON.stringify(text)} is not a MAC address for a pod`, 'give one like 02:00:00:00:00:01')
}

function aName(text: string): string {
  if (/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?$/.test(text)) return text
  throw refused(`${JSON.stringify(text)} is not a name for DNS`, 'use letters, digits, dots and dashes')
}

const refused = (message: string, remedy: string): TspodError => new TspodError('NETWORK_FAILED', message, { remedy })
