/** Names and name servers of a pod: hostname, hostAliases, dnsPolicy, dnsConfig. */
import type { DnsSpec, PodSpec } from '../../model.ts'
import type { Field } from '../yaml/index.ts'
import { isIp, labelProblem, quote, subdomainProblem } from '../yaml/index.ts'

/** Below which Kubernetes has the names of Services. */
export const CLUSTER_DOMAIN = 'cluster.local'

const MAX_HOSTNAME = 63
/** See gethostname(2). */
const MAX_KERNEL_NAME = 64
const MAX_NAMESERVERS = 3
const MAX_SEARCHES = 32
const MAX_SEARCH_CHARACTERS = 2048
const OPTION = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/

/** The part of a pod that says what it is called. */
export type PodNames = Pick<PodSpec, 'hostname' | 'subdomain' | 'domain' | 'setHostnameAsFQDN'>

/** What a pod of a workload is called whatever its template says. */
type Given = { podName: string; namespace: string; hostname?: string | undefined; subdomain?: string | undefined }

/**
 * The names of a pod, as the kubelet makes them: the host name is as given or the pod's name cut to what a host name
 * may be, and with a subdomain there is a domain. A hostnameOverride is the whole name, without a domain.
 */
export function readPodNames(spec: Field, { podName, namespace, hostname, subdomain }: Given): PodNames {
  const override = readOverride(spec)
  if (override !== undefined) return { hostname: override }
  const below = subdomain ?? readLabel(spec.at('subdomain'))
  const own = hostname ?? (readLabel(spec.at('hostname')) || podName.slice(0, MAX_HOSTNAME).replace(/[-.]+$/, ''))
  const domain = below === '' ? undefined : `${below}.${namespace}.svc.${CLUSTER_DOMAIN}`
  const wanted = spec.at('setHostnameAsFQDN')
  const whole = (wanted.boolean() ?? false) && domain !== undefined
  const length = `${own}.${domain}`.length
  if (whole && length > MAX_KERNEL_NAME)
    wanted.issue(
      'TOO_LONG',
      `${quote(`${own}.${domain}`)} has ${length} characters, and a host name may have ${MAX_KERNEL_NAME}`,
      'shorten hostname or subdomain, or remove setHostnameAsFQDN',
    )
  return {
    hostname: own,
    ...(domain !== undefined && { subdomain: below, domain }),
    ...(whole && { setHostnameAsFQDN: true }),
  }
}

function readLabel(field: Field): string {
  const text = field.string() ?? ''
  const problem = text === '' ? undefined : labelProblem(text)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(text)} ${problem}`)
  return text
}

function readOverride(spec: Field): string | undefined {
  const field = spec.at('hostnameOverride')
  const text = field.string() ?? ''
  if (text === '') return undefined
  const long = text.length > MAX_KERNEL_NAME ? `must be no more than ${MAX_KERNEL_NAME} characters` : undefined
  const problem = long ?? subdomainProblem(text)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(text)} ${problem}`)
  for (const name of ['setHostnameAsFQDN', 'hostNetwork']) {
    if (spec.at(name).boolean() ?? false)
      field.issueAt(field.key, 'FORBIDDEN', `may not be set along with ${name}: true`, 'remove one of them')
  }
  return text
}

/** Lines for /etc/hosts. Everything is checked, because each becomes a line of a file as it is. */
export function readHostAliases(list: Field, noHosts: boolean): PodSpec['hostAliases'] {
  if (noHosts && list.items().length > 0) {
    list.issue('FORBIDDEN', 'hostAliases will not work with --no-hosts', 'remove one of them')
  }
  return list.items().flatMap(item => {
    const ip = item.at('ip').string() ?? ''
    if (ip !== '' && !isIp(ip)) item.at('ip').issue('INVALID_VALUE', `${quote(ip)} is not an IP address`)
    for (const name of item.at('hostnames').items()) {
      const problem = subdomainProblem(name.string() ?? 'x')
      if (problem !== undefined) name.issue('INVALID_VALUE', `${quote(name.string() ?? '')} ${problem}`)
    }
    return isIp(ip) ? { ip, hostnames: item.at('hostnames').strings() ?? [] } : []
  })
}

/** How names are looked up. With the host's network, ClusterFirst is Default, as in Kubernetes. */
export function readDns(spec: Field, hostNetwork: boolean): DnsSpec {
  const policyField = spec.at('dnsPolicy')
  const named = policyField.oneOf(['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'], 'ClusterFirst')
  const config = spec.at('dnsConfig')
  const dns: DnsSpec = {
    policy:
      named === 'None'
        ? 'none'
        : named === 'Default' || (named === 'ClusterFirst' && hostNetwork)
          ? 'default'
          : 'cluster',
    nameservers: readNameservers(config.at('nameservers')),
    searches: readSearches(config.at('searches')),
    options: readOptions(config.at('options')),
  }
  if (named === 'None' && dns.nameservers.length === 0 && config.at('nameservers').items().length === 0) {
    policyField.issue('REQUIRED', 'dnsPolicy None needs at least one nameserver', 'add dnsConfig.nameservers')
  }
  return dns
}

function readNameservers(list: Field): string[] {
  const items = list.items()
  if (items.length > MAX_NAMESERVERS) list.issue('TOO_MANY', `no more than ${MAX_NAMESERVERS} nameservers are possible`)
  return items.flatMap(item => {
    const text = item.string()
    if (text !== undefined && isIp(text)) return text
    if (text !== undefined) item.issue('INVALID_VALUE', `${quote(text)} is not an IP address`)
    return []
  })
}

function readSearches(list: Field): string[] {
  const items = list.items()
  const texts = list.strings() ?? []
  if (items.length > MAX_SEARCHES) list.issue('TOO_MANY', `no more than ${MAX_SEARCHES} search domains are possible`)
  if (texts.join(' ').length > MAX_SEARCH_CHARACTERS)
    list.issue('TOO_LONG', `more than ${MAX_SEARCH_CHARACTERS} characters in all`)
  for (const item of items) {
    const text = item.string() ?? 'x'
    // A lone dot and a dot at the end are fine, and so are underscores: they are search domains, not hosts.
    const problem = text === '.' ? undefined : subdomainProblem(text.replace(/\.$/, '').replaceAll('_', 'x'))
    if (problem !== undefined) item.issue('INVALID_VALUE', `${quote(text)} ${problem}`)
  }
  return texts
}

function readOptions(list: Field): DnsSpec['options'] {
  return list.items().flatMap(item => {
    const name = item.at('name').string() ?? ''
    const value = item.at('value').string()
    if (name === '') item.at('name').issue('REQUIRED', 'an option must have a name', 'add it')
    else if (!OPTION.test(name))
      item.at('name').issue('INVALID_VALUE', `${quote(name)} is not an option of resolv.conf`)
    if (value !== undefined && value !== '' && !OPTION.test(value)) {
      item.at('value').issue('INVALID_VALUE', `${quote(value)} is not a value for an option of resolv.conf`)
    }
    return { name, ...(value === undefined || value === '' ? {} : { value }) }
  })
}
