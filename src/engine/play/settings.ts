/** Flags of `play kube` that outlive the play, checked and in the form the engine keeps. Pure. */
import { isIPv4, isIPv6 } from 'node:net'
import { TspodError } from '../../errors.ts'
import type { PodSpec } from '../../model.ts'
import { DEFAULT_NETWORK } from '../../oci/index.ts'
import type { LogSettings } from '../state/index.ts'
import type { PlayOptions } from '../types/index.ts'

/** kubelet's containerLogMaxSize. */
const DEFAULT_LOG_BYTES = 10 * 1024 * 1024

export type NetworkWish = { name: string; ip?: string; mac?: string; aliases: string[] }
export type NetworkPlan = { mode: 'host' | 'none' } | { mode: 'bridge'; networks: NetworkWish[] }

/**
 * What `--network`, `--ip` and `--mac-address` mean for the pod at `index` of the play. A flag wins over `hostNetwork`.
 * @throws USAGE with Podman's rules: addresses need bridge mode and exactly one network.
 */
export function networkPlan(pod: PodSpec, index: number, options: PlayOptions): NetworkPlan {
  const plan = options.networks.length === 0 ? byManifest(pod) : byFlags(options.networks)
  const ip = options.ips[index]
  const mac = options.macs[index]
  if (options.ips.length === 0 && options.macs.length === 0) return plan
  const only = plan.mode === 'bridge' && plan.networks.length === 1 ? plan.networks[0] : undefined
  if (only === undefined) {
    throw usage(
      '--ip and --mac-address need bridge mode and exactly one network',
      'leave them out, or give one --network',
    )
  }
  if (ip !== undefined && !isIPv4(ip) && !isIPv6(ip))
    throw usage(`"${ip}" is not an IP address`, 'give --ip an address such as 10.91.0.10')
  if (mac !== undefined && !MAC.test(mac)) throw usage(`"${mac}" is not a MAC address`, 'write it as 92:d0:c6:0a:29:33')
  return { mode: 'bridge', networks: [{ ...only, ...(ip !== undefined && { ip }), ...(mac !== undefined && { mac }) }] }
}

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i

function byManifest(pod: PodSpec): NetworkPlan {
  return pod.hostNetwork ? { mode: 'host' } : { mode: 'bridge', networks: [{ name: DEFAULT_NETWORK, aliases: [] }] }
}

function byFlags(values: readonly string[]): NetworkPlan {
  const alone = values.find(value => value === 'host' || value === 'none')
  if (alone !== undefined) {
    if (values.length > 1)
      throw usage(`--network ${alone} cannot be combined with another network`, 'give one --network')
    return { mode: alone as 'host' | 'none' }
  }
  return { mode: 'bridge', networks: values.map(networkWish) }
}

/** `NAME[:ip=…,mac=…,alias=…]`; `bridge` is the default network. */
function networkWish(value: string): NetworkWish {
  const colon = value.indexOf(':')
  const name = colon < 0 ? value : value.slice(0, colon)
  if (['slirp4netns', 'pasta', 'container', 'ns', 'private'].includes(name)) {
    throw usage(`--network ${name} is not yet supported`, 'use host, none, bridge, or a network of /etc/tspod/networks')
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name))
    throw usage(`"${name}" is not a network name`, 'use letters, digits, _, . and -')
  const wish: NetworkWish = { name: name === 'bridge' ? DEFAULT_NETWORK : name, aliases: [] }
  for (const option of colon < 0 ? [] : value.slice(colon + 1).split(',')) applyNetworkOption(wish, option, value)
  return wish
}

function applyNetworkOption(wish: NetworkWish, option: string, value: string): void {
  const [key, content = ''] = option.split(/=(.*)/s)
  if (key === 'ip' && isIPv4(content)) wish.ip = content
  else if (key === 'mac' && MAC.test(content)) wish.mac = content
  else if (key === 'alias' && content !== '') wish.aliases.push(content)
  else
    throw usage(
      `--network ${value}: cannot use "${option}"`,
      'options are ip=ADDRESS, mac=ADDRESS and alias=NAME, separated by commas',
    )
}

/**
 * What `--log-driver` and `--log-opt` mean.
 * @throws USAGE for an unknown driver, an option without `=` or with a bad value.
 */
export function logSettings(options: Pick<PlayOptions, 'logDriver' | 'logOptions'>): LogSettings {
  const settings: LogSettings = { driver: 'k8s-file', maxBytes: DEFAULT_LOG_BYTES }
  for (const option of options.logOptions) {
    const [key, value] = option.split(/=(.*)/s)
    if (value === undefined)
      throw usage(`invalid log option "${option}": must be key=value`, 'for example --log-opt max-size=10mb')
    if (key === 'driver') settings.driver = logDriver(value)
    else if (key === 'path') settings.path = value
    else if (key === 'max-size') settings.maxBytes = logBytes(value)
    else throw usage(`log option "${key}" is not known`, 'known are driver, path and max-size')
  }
  if (options.logDriver !== undefined) settings.driver = logDriver(options.logDriver)
  if (settings.path !== undefined && !settings.path.startsWith('/'))
    throw usage('--log-opt path must be absolute', 'write path=/var/log/app.log')
  return settings
}

function logDriver(value: string): LogSettings['driver'] {
  const known = ['k8s-file', 'json-file', 'journald', 'none', 'passthrough'] as const
  const driver = known.find(one => one === value)
  if (driver !== undefined) return driver
  throw usage(`log driver "${value}" is not known`, `use one of ${known.join(', ')}`)
}

function logBytes(value: string): number {
  const match = /^(\d+)\s*([bkmg]?)(?:i?b)?$/i.exec(value)
  if (match === null) throw usage(`"${value}" is not a size`, 'write max-size=10mb')
  const factor = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[(match[2] || 'b').toLowerCase() as 'b' | 'k' | 'm' | 'g']
  return Number(match[1]) * factor
}

const usage = (message: string, remedy: string): TspodError => new TspodError('USAGE', message, { remedy })
