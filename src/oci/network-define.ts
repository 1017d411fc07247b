/** Networks: the default one, and those an administrator wrote down. Pure, but for `loadNetwork` and `definedNetworks`. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../errors.ts'
import { type Paths, SYSTEM_PATHS } from '../paths.ts'
import { INTERFACE_NAME, NETWORK_NAME } from '../words.ts'
import { formatIp, inSubnet, offset, overlaps, parseIp, parseSubnet, type Subnet } from './ip.ts'
import { readOptional } from './storage.ts'

/** A network as netavark and Podman describe it. */
export type NetworkDefinition = {
  name: string
  /** 64 hexadecimal digits. */
  id: string
  driver: 'bridge'
  network_interface: string
  subnets: { subnet: string; gateway: string; lease_range?: { start_ip?: string; end_ip?: string } }[]
  ipv6_enabled: boolean
  internal: boolean
  dns_enabled: boolean
  network_dns_servers?: string[]
  ipam_options: Record<string, string>
  options: Record<string, string>
}

/** The network a pod joins unless told otherwise. */
export const DEFAULT_NETWORK = 'tspod'

/** Subnets to try, in order: private, away from what Docker, Podman and home routers use. */
export const CANDIDATES: readonly string[] = [
  ...Array.from({ length: 37 }, (_, n) => `10.${91 + n}.0.0/16`),
  ...Array.from({ length: 12 }, (_, n) => `172.${20 + n}.0.0/16`),
]

/** A route of the host: where it leads, and through which interface. */
export type Route = { subnet: Subnet; networkInterface: string }

/**
 * The definition of network `name`: `<config>/networks/NAME.json` (the format of `podman network inspect`), or for the
 * default network without such a file a bridge on a subnet that no route of this host overlaps.
 * Throws NETWORK_UNKNOWN listing what exists, NETWORK_FAILED when the file is wrong or no subnet is free.
 */
export async function loadNetwork(paths: Paths, name: string): Promise<NetworkDefinition> {
  if (!NETWORK_NAME.test(name)) throw unknownNetwork(name, await definedNetworks(paths))
  const file = networkFile(paths, name)
  const text = readOptional(file)
  if (text !== undefined) return parseDefinition(name, file, text)
  if (name !== DEFAULT_NETWORK) throw unknownNetwork(name, await definedNetworks(paths))
  return defaultNetwork(bridgeName(paths), await hostRoutes())
}

/** Where a network is described. */
export const networkFile = (paths: Paths, name: string): string => join(paths.config, 'networks', `${name}.json`)

/** The routes of this host, of IPv4. */
export const hostRoutes = async (): Promise<Route[]> => parseRoutes(await readFile('/proc/net/route', 'utf8'))

/** Names of all networks a pod may join. */
export async function definedNetworks(paths: Paths): Promise<string[]> {
  const files = await readdir(join(paths.config, 'networks')).catch(() => [])
  const names = files.filter(file => file.endsWith('.json')).map(file => file.slice(0, -'.json'.length))
  return [...new Set([DEFAULT_NETWORK, ...names])].sort()
}

const unknownNetwork = (name: string, known: readonly string[]): TspodError =>
  new TspodError('NETWORK_UNKNOWN', `no network ${JSON.stringify(name)}`, {
    remedy: `use one of ${known.join(', ')}, or make it: tspod network create ${NETWORK_NAME.test(name) ? name : 'NAME'}`,
  })

const SYSTEM_BRIDGE = 'tspod0'

/** `tspod0` for the system's installation; another installation has a bridge of its own. */
const bridgeName = (paths: Paths): string => (isSystem(paths) ? SYSTEM_BRIDGE : `tspod-${hashOf(paths)}`)

/** What names of bridges begin with that an installation chooses for networks of its own; a number follows. */
export const bridgePrefix = (paths: Paths): string => (isSystem(paths) ? 'tspod' : `ts-${hashOf(paths)}-`)

const isSystem = ({ root, runRoot }: Paths): boolean => runRoot === SYSTEM_PATHS.runRoot && root === SYSTEM_PATHS.root

const hashOf = ({ root, runRoot }: Paths): string => shortHash(`${root}\0${runRoot}`)

/**
 * The default network on `bridge`. A bridge that is up keeps its subnet, so that pods which run and pods to come agree.
 * Throws NETWORK_FAILED when every candidate overlaps a route.
 */
export function defaultNetwork(bridge: string, routes: readonly Route[]): NetworkDefinition {
  const own = routes.find(route => route.networkInterface === bridge)
  const candidates = CANDIDATES.map(text => parseSubnet(text) as Subnet)
  const chosen =
    candidates.find(subnet => own !== undefined && overlaps(subnet, own.subnet)) ??
    candidates.find(subnet => !routes.some(route => route.subnet.prefix > 0 && overlaps(subnet, route.subnet)))
  if (chosen === undefined) {
    throw new TspodError(
      'NETWORK_FAILED',
      'every subnet tried for the default network is routed elsewhere by this host',
      {
        remedy: `describe a network with a free subnet in ${SYSTEM_PATHS.config}/networks/${DEFAULT_NETWORK}.json`,
      },
    )
  }
  return {
    // netavark names its chains after the network: another installation's have to be others.
    name: bridge === SYSTEM_BRIDGE ? DEFAULT_NETWORK : bridge,
    id: networkId(bridge),
    driver: 'bridge',
    network_interface: bridge,
    subnets: [{ subnet: `${formatIp(chosen.base)}/${chosen.prefix}`, gateway: formatIp(offset(chosen.base, 1n)) }],
    ipv6_enabled: false,
    internal: false,
    dns_enabled: true,
    ipam_options: { driver: 'host-local' },
    options: {},
  }
}

/** Reads the text of /proc/net/route, whose addresses are little-endian hexadecimal (man 5 proc). */
export function parseRoutes(text: string): Route[] {
  const fromHex = (hex: string): bigint => BigInt(`0x${(hex.match(/../g) ?? []).reverse().join('')}`)
  return text
    .split('\n')
    .slice(1)
    .map(line => line.split('\t').map(field => field.trim()))
    .filter(fields => fields.length > 7)
    .map(fields => {
      const mask = fromHex(fields[7] as string)
      const prefix = mask.toString(2).replaceAll('0', '').length
      return {
        networkInterface: fields[0] as string,
        subnet: { base: { family: 4, value: fromHex(fields[1] as string) }, prefix },
      }
    })
}

/**
 * Decodes what an administrator wrote. Only bridges are served: the address is leased by us, and a host's own
 * interfaces (macvlan, ipvlan) are not ours to hand out.
 * Throws NETWORK_FAILED naming the file and the field.
 */
export function parseDefinition(name: string, file: string, text: string): NetworkDefinition {
  const bad = (what: string): TspodError =>
    new TspodError('NETWORK_FAILED', `${file}: ${what}`, {
      remedy: `correct the file; \`podman network inspect\` shows the format`,
    })
  let document: Record<string, unknown>
  try {
    const parsed: unknown = JSON.parse(text)
    document = (Array.isArray(parsed) ? parsed[0] : parsed) as Record<string, unknown>
  } catch (cause) {
    throw bad(`not JSON (${(cause as Error).message})`)
  }
  if (typeof document !== 'object' || document === null) throw bad('not a network')
  if (document.name !== undefined && document.name !== name) throw bad(`name must be ${name}, like the file's`)
  if ((document.driver ?? 'bridge') !== 'bridge')
    throw bad(`driver ${JSON.stringify(document.driver)} is not supported, only bridge`)
  const networkInterface = document.network_interface
  if (typeof networkInterface !== 'string' || !INTERFACE_NAME.test(networkInterface)) {
    throw bad('network_interface must be a name of at most 15 letters, digits, dots, dashes')
  }
  const subnets = Array.isArray(document.subnets) ? document.subnets.map(entry => subnetFrom(entry, bad)) : []
  if (subnets.length === 0) throw bad('subnets is missing')
  const truth = (key: string): boolean => {
    const value = document[key] ?? false
    if (typeof value !== 'boolean') throw bad(`${key} must be true or false`)
    return value
  }
  return {
    name,
    id: typeof document.id === 'string' && /^[0-9a-f]{64}$/.test(document.id) ? document.id : networkId(name),
    driver: 'bridge',
    network_interface: networkInterface,
    subnets,
    ipv6_enabled: truth('ipv6_enabled') || subnets.some(subnet => subnet.gateway.includes(':')),
    internal: truth('internal'),
    dns_enabled: truth('dns_enabled'),
    ...(Array.isArray(document.network_dns_servers) && {
      network_dns_servers: document.network_dns_servers.map(String),
    }),
    ipam_options: { driver: 'host-local' },
    options: stringTable(document.options, () => bad('options must be an object of strings')),
  }
}

function subnetFrom(entry: unknown, bad: (what: string) => TspodError): NetworkDefinition['subnets'][number] {
  const fields = (entry ?? {}) as Record<string, unknown>
  const subnet = typeof fields.subnet === 'string' ? parseSubnet(fields.subnet) : undefined
  if (subnet === undefined) throw bad(`subnet ${JSON.stringify(fields.subnet)} is not a network like 10.91.0.0/16`)
  const gateway = fields.gateway === undefined ? offset(subnet.base, 1n) : parseIp(String(fields.gateway))
  if (gateway === undefined || !inSubnet(gateway, subnet))
    throw bad(`gateway ${String(fields.gateway)} is not in ${String(fields.subnet)}`)
  const range = fields.lease_range as Record<string, unknown> | undefined
  for (const end of [range?.start_ip, range?.end_ip]) {
    if (end === undefined) continue
    const ip = parseIp(String(end))
    if (ip === undefined || !inSubnet(ip, subnet))
      throw bad(`lease_range: ${String(end)} is not in ${String(fields.subnet)}`)
  }
  return {
    subnet: `${formatIp(subnet.base)}/${subnet.prefix}`,
    gateway: formatIp(gateway),
    ...(range && {
      lease_range: {
        ...(range.start_ip ? { start_ip: String(range.start_ip) } : {}),
        ...(range.end_ip ? { end_ip: String(range.end_ip) } : {}),
      },
    }),
  }
}

function stringTable(value: unknown, error: () => TspodError): Record<string, string> {
  if (value === undefined || value === null) return {}
  const entries = typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : undefined
  if (entries === undefined || entries.some(([, text]) => typeof text !== 'string')) throw error()
  return Object.fromEntries(entries as [string, string][])
}

/** netavark wants 64 hexadecimal digits: the name itself, spelled out. */
const networkId = (name: string): string => Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64)

/** FNV-1a, eight digits: it keeps a handful of installations on one host apart, and protects nothing. */
function shortHash(text: string): string {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
