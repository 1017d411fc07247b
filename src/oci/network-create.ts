/** Networks that a command makes: what is not said is chosen. Pure, but for the door at the end. */
import { readdirSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../errors.ts'
import { writeAtomic } from '../files.ts'
import type { Paths } from '../paths.ts'
import { randomHex } from '../random.ts'
import { formatIp, inSubnet, lastOf, offset, overlaps, parseIp, parseSubnet, type Subnet } from './ip.ts'
import {
  bridgePrefix,
  CANDIDATES,
  DEFAULT_NETWORK,
  definedNetworks,
  hostRoutes,
  loadNetwork,
  type NetworkDefinition,
  networkFile,
} from './network-define.ts'

export type NetworkWish = {
  name: string
  /** Subnets with their gateways and ranges, by their places; without one a free subnet is chosen. */
  subnets: readonly string[]
  gateways: readonly string[]
  ranges: readonly string[]
  ipv6: boolean
  internal: boolean
  dns: boolean
  dnsServers: readonly string[]
  networkInterface?: string
  options: Readonly<Record<string, string>>
}

/** What is taken on this host, by routes and by other networks, and what names of bridges begin with. */
export type Taken = { subnets: readonly Subnet[]; interfaces: ReadonlySet<string>; prefix: string }

const ID_BYTES = 32
/** A network of its own is as large as Podman's. */
const PREFIX = 24

/** The definition of what is wished. Throws USAGE with what is wrong about addresses, NETWORK_FAILED when nothing is free. */
export function defineNetwork(wish: NetworkWish, taken: Taken, random: (bytes: number) => string): NetworkDefinition {
  const wished = wish.subnets.map((text, at) => wishedSubnet(text, wish.gateways[at], wish.ranges[at], taken))
  const has6 = wished.some(({ subnet }) => subnet.includes(':'))
  const subnets = [
    ...(wished.length === 0 ? [plainSubnet(freeSubnet(taken))] : wished),
    ...(wish.ipv6 && !has6
      ? [plainSubnet(parseSubnet(`fd${random(1)}:${random(2)}:${random(2)}::/64`) as Subnet)]
      : []),
  ]
  return {
    name: wish.name,
    // netavark names its chains after it, and another installation may have a network of the same name.
    id: random(ID_BYTES),
    driver: 'bridge',
    network_interface: wish.networkInterface ?? freeInterface(taken),
    subnets,
    ipv6_enabled: wish.ipv6 || has6,
    internal: wish.internal,
    dns_enabled: wish.dns,
    ...(wish.dnsServers.length > 0 && { network_dns_servers: [...wish.dnsServers] }),
    ipam_options: { driver: 'host-local' },
    options: { ...wish.options },
  }
}

type SubnetEntry = NetworkDefinition['subnets'][number]

const textOf = ({ base, prefix }: Subnet): string => `${formatIp(base)}/${prefix}`

const plainSubnet = (subnet: Subnet): SubnetEntry => ({
  subnet: textOf(subnet),
  gateway: formatIp(offset(subnet.base, 1n)),
})

const wrong = (message: string, remedy: string): TspodError => new TspodError('USAGE', message, { remedy })

function wishedSubnet(text: string, gateway: string | undefined, range: string | undefined, taken: Taken): SubnetEntry {
  const subnet = parseSubnet(text)
  if (subnet === undefined) throw wrong(`"${text}" is no subnet`, 'write it like 10.120.0.0/24')
  if (taken.subnets.some(other => overlaps(subnet, other))) {
    throw wrong(
      `subnet ${text} is already used on the host or by another network`,
      'choose another one, or leave it out',
    )
  }
  const entry = plainSubnet(subnet)
  if (gateway !== undefined) {
    const ip = parseIp(gateway)
    if (ip === undefined || !inSubnet(ip, subnet))
      throw wrong(`gateway ${gateway} is not in ${text}`, 'choose one of its addresses')
    entry.gateway = formatIp(ip)
  }
  if (range !== undefined) {
    const inner = parseSubnet(range)
    if (inner === undefined || !inSubnet(inner.base, subnet) || inner.prefix < subnet.prefix) {
      throw wrong(`range ${range} is not in ${text}`, 'write a part of it, for example 10.120.0.128/25')
    }
    entry.lease_range = { start_ip: formatIp(offset(inner.base, 1n)), end_ip: formatIp(offset(lastOf(inner), -1n)) }
  }
  return entry
}

/** The first one that neither a route nor a network overlaps. */
function freeSubnet({ subnets }: Taken): Subnet {
  for (const candidate of CANDIDATES) {
    const [a = '', b = ''] = candidate.split('.')
    for (let third = 0; third < 256; third++) {
      const subnet = parseSubnet(`${a}.${b}.${third}.0/${PREFIX}`) as Subnet
      if (!subnets.some(other => overlaps(subnet, other))) return subnet
    }
  }
  throw new TspodError('NETWORK_FAILED', 'every subnet tried is routed elsewhere by this host', {
    remedy: 'name a free one with --subnet',
  })
}

function freeInterface({ interfaces, prefix }: Taken): string {
  for (let number = 1; ; number++) if (!interfaces.has(`${prefix}${number}`)) return `${prefix}${number}`
}

/**
 * Writes down a new network for this installation. Two commands at once may choose the same subnet: the caller holds
 * the lock of networks. Throws NAME_IN_USE, USAGE, NETWORK_FAILED.
 */
export async function createNetwork(paths: Paths, wish: NetworkWish): Promise<NetworkDefinition> {
  const names = await definedNetworks(paths)
  if (names.includes(wish.name)) {
    throw new TspodError('NAME_IN_USE', `network name ${wish.name} already used: network already exists`, {
      remedy: 'use it as it is, remove it (tspod network rm), or choose another name',
    })
  }
  const others = await Promise.all(names.map(name => loadNetwork(paths, name)))
  const routes = await hostRoutes()
  const taken: Taken = {
    subnets: [
      ...routes.flatMap(({ subnet }) => (subnet.prefix > 0 ? subnet : [])),
      ...others.flatMap(({ subnets }) => subnets.map(({ subnet }) => parseSubnet(subnet) as Subnet)),
    ],
    prefix: bridgePrefix(paths),
    interfaces: new Set([...readdirSync('/sys/class/net'), ...others.map(other => other.network_interface)]),
  }
  if (wish.networkInterface !== undefined && taken.interfaces.has(wish.networkInterface))
    throw wrong(`interface ${wish.networkInterface} is there already`, 'choose another name, or leave it out')
  const definition = defineNetwork(wish, taken, randomHex)
  const file = networkFile(paths, wish.name)
  await mkdir(join(file, '..'), { recursive: true, mode: 0o755 })
  await writeAtomic(file, `${JSON.stringify(definition, undefined, 2)}\n`, 0o644)
  return definition
}

/** Removes what was written down of a network. Throws WRONG_STATE for the default one that nobody wrote down. */
export async function forgetNetwork(paths: Paths, name: string): Promise<void> {
  await loadNetwork(paths, name)
  try {
    await rm(networkFile(paths, name))
  } catch (cause) {
    if (name !== DEFAULT_NETWORK) throw cause
    throw new TspodError('WRONG_STATE', `default network ${name} cannot be removed`, {
      remedy: 'leave it: it costs nothing',
      cause,
    })
  }
}
