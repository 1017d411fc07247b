/** The text of a pod's /etc/hosts and /etc/resolv.conf (kubelet's rules, pkg/kubelet/kubelet_pods.go and network/dns). */
import { readFile } from 'node:fs/promises'
import { TspodError } from '../errors.ts'
import type { DnsSpec, PodSpec } from '../model.ts'
import { parseIp } from './ip.ts'
import { readOptional } from './storage.ts'

export type NetworkMode = 'host' | 'none' | 'bridge'

const LOCAL_NAMES = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
]

type Named = Pick<PodSpec, 'hostAliases' | 'domain'>
export type HostsFacts = { hostname: string; addresses: readonly string[]; network: NetworkMode }

/** `hostsText` with the host's own file where the pod shares the host's network. Throws SECURITY_REFUSED. */
export async function hostsFile(pod: Named, facts: HostsFacts): Promise<string> {
  return hostsText(pod, facts, facts.network === 'host' ? await readFile('/etc/hosts', 'utf8') : undefined)
}

/**
 * The text of /etc/hosts: local names, the pod's addresses, and the manifest's aliases; or the host's file and the
 * aliases. Throws SECURITY_REFUSED when a name or address could break out of its line (S14).
 */
export function hostsText(pod: Named, facts: HostsFacts, hostFile?: string): string {
  const names = pod.domain === undefined ? [facts.hostname] : [`${facts.hostname}.${pod.domain}`, facts.hostname]
  const own = facts.addresses.map(address => [anAddress(address), ...names.map(aName)].join('\t'))
  const base =
    hostFile === undefined
      ? ['# Kept by tspod.', ...LOCAL_NAMES, ...own]
      : ["# Kept by tspod: the host's file, since the pod shares the host's network.", hostFile.replace(/\n+$/, '')]
  const aliases = pod.hostAliases.map(({ ip, hostnames }) => [anAddress(ip), ...hostnames.map(aName)].join('\t'))
  const tail = aliases.length === 0 ? [] : ['', '# From hostAliases of the pod.', ...aliases]
  return `${[...base, ...tail].join('\n')}\n`
}

export type ResolvFacts = {
  /** Addresses of aardvark-dns; empty when the pod's networks have no DNS. */
  servers: readonly string[]
  /** Search domains of the pod's networks; default: the one aardvark-dns always answers for. */
  searches?: readonly string[]
  network: NetworkMode
}

/** netavark reports it for every network with DNS. */
const AARDVARK_DOMAIN = 'dns.podman'

const RESOLV_CONF = '/etc/resolv.conf'
/** Where systemd-resolved keeps the servers that it forwards to; its stub on 127.0.0.53 is out of reach for a pod. */
const RESOLVED_CONF = '/run/systemd/resolve/resolv.conf'

/** `resolvText` with what this host says. Throws SECURITY_REFUSED. */
export async function resolvConf(dns: DnsSpec, facts: ResolvFacts): Promise<string> {
  const own = parseResolv(readOptional(RESOLV_CONF) ?? '')
  if (facts.network === 'host' || own.servers.some(server => !isLoopback(server))) return resolvText(dns, facts, own)
  const behind = readOptional(RESOLVED_CONF)
  return resolvText(dns, facts, behind === undefined ? own : parseResolv(behind))
}

export type Resolver = { servers: string[]; searches: string[]; options: string[] }

/** Kubernetes' limits, beyond which resolvers ignore the rest. */
const MAX_SERVERS = 3
const MAX_SEARCHES = 32
const MAX_SEARCH_LENGTH = 2048

/**
 * The text of /etc/resolv.conf. `default` takes the host's servers; `cluster` the pod networks' own, which know the
 * other pods and ask the host's for the rest, and the host's where there are none; `none` only what dnsConfig says.
 * dnsConfig is added last; an option given there wins. Throws SECURITY_REFUSED for what could break out of its line.
 */
export function resolvText(dns: DnsSpec, facts: ResolvFacts, host: Resolver): string {
  const base = baseResolver(dns, facts, host)
  const servers = [...new Set([...base.servers, ...dns.nameservers])].slice(0, MAX_SERVERS).map(anAddress)
  const searches = fitting([...new Set([...base.searches, ...dns.searches])].map(aName))
  const given = new Map(dns.options.map(({ name, value }) => [name, value === undefined ? name : `${name}:${value}`]))
  const options = [...base.options.filter(option => !given.has(option.split(':')[0] as string)), ...given.values()].map(
    anOption,
  )
  const lines = [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...servers.map(server => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ]
  return lines.map(line => `${line}\n`).join('')
}

function baseResolver(dns: DnsSpec, facts: ResolvFacts, host: Resolver): Resolver {
  if (dns.policy === 'none') return { servers: [], searches: [], options: [] }
  // Loopback is the pod's own unless it shares the host's network.
  const reachable = facts.network === 'host' ? host.servers : host.servers.filter(server => !isLoopback(server))
  if (dns.policy === 'default' || facts.network !== 'bridge' || facts.servers.length === 0)
    return { ...host, servers: reachable }
  return {
    servers: [...facts.servers],
    searches: [...(facts.searches ?? [AARDVARK_DOMAIN]), ...host.searches],
    options: host.options,
  }
}

function fitting(searches: readonly string[]): string[] {
  const kept: string[] = []
  for (const search of searches.slice(0, MAX_SEARCHES)) {
    if ([...kept, search].join(' ').length > MAX_SEARCH_LENGTH) break
    kept.push(search)
  }
  return kept
}

/** Reads resolv.conf(5) leniently: the host's file is the administrator's, and what is not understood is left out. */
export function parseResolv(text: string): Resolver {
  const resolver: Resolver = { servers: [], searches: [], options: [] }
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/)
    if (keyword === 'nameserver' && words[0] !== undefined) resolver.servers.push(words[0])
    if (keyword === 'search' || keyword === 'domain')
      resolver.searches = words.filter(word => word !== '.' && NAME.test(word))
    if (keyword === 'options') resolver.options.push(...words.filter(word => OPTION.test(word)))
  }
  return resolver
}

const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1'

const NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/
const OPTION = /^[a-z0-9-]+(:[A-Za-z0-9]+)?$/

/** `fe80::1%eth0` is an address of a nameserver. */
function anAddress(text: string): string {
  const [address = '', zone, ...more] = text.split('%')
  if (
    parseIp(address) !== undefined &&
    more.length === 0 &&
    (zone === undefined || /^[A-Za-z0-9_.-]{1,15}$/.test(zone))
  )
    return text
  throw refused(text, 'an IP address')
}

function aName(text: string): string {
  if (NAME.test(text) && text.length <= 253) return text
  throw refused(text, 'a host name')
}

function anOption(text: string): string {
  if (OPTION.test(text)) return text
  throw refused(text, 'a resolver option')
}

const refused = (text: string, what: string): TspodError =>
  new TspodError('SECURITY_REFUSED', `${JSON.stringify(text)} is not ${what}`, { remedy: 'correct it in the manifest' })
