/**
 * Pinned namespaces and netavark: what does I/O for a pod's network.
 *
 * A sandbox is three files below the pod's run directory onto which namespaces are bind-mounted; nothing runs in it.
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, TspodError } from '../errors.ts'
import { type Origin, pin, settleNetwork, unmount } from '../namespaces.ts'
import { networkRunDirectory, type Paths } from '../paths.ts'
import { type Finished, failureText, type Run } from '../process.ts'
import type { NetavarkInput } from './network-input.ts'
import { findAardvark, forgetDeadResolver, narrowPath } from './resolver.ts'
import { makeOwned } from './user-namespace.ts'

export type NamespaceKind = 'user' | 'net' | 'ipc' | 'uts'
export type Pinned = { [Kind in NamespaceKind]?: string }

const KINDS: readonly NamespaceKind[] = ['user', 'net', 'ipc', 'uts']
/** File system type of a bind-mounted namespace (statfs(2), NSFS_MAGIC). */
const NSFS = 0x6e736673
/** More mounts than this on one file are not ours. */
const MAX_STACKED = 8

/**
 * Makes the namespaces of one pod and pins them below `dir`; no process is started. `isolated` brings the loopback
 * interface up, for a pod that netavark never sees; otherwise router advertisements are switched off for the
 * interfaces to come (S28). With `userns` they all belong to the user namespace that it describes, which is pinned
 * along with them. What an earlier, interrupted attempt left there is taken away first.
 * Throws NETWORK_FAILED; nothing is left pinned then.
 */
export function pinNamespaces(
  dir: string,
  which: readonly NamespaceKind[],
  { isolated = false, userns }: { isolated?: boolean; userns?: Origin | undefined } = {},
): Pinned {
  if (which.length === 0) return {}
  if (existsSync(dir)) unpinNamespaces(dir)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const pinned: Pinned = Object.fromEntries(which.map(kind => [kind, join(dir, kind)]))
  for (const file of Object.values(pinned)) closeSync(openSync(file, 'wx', 0o600))
  try {
    if (userns === undefined) pin(pinned, isolated)
    else {
      makeOwned(pinned, userns)
      if (pinned.net !== undefined) settleNetwork(pinned.net, isolated)
    }
    return pinned
  } catch (cause) {
    unpinNamespaces(dir)
    if (cause instanceof TspodError) throw cause
    throw new TspodError('NETWORK_FAILED', `cannot make namespaces: ${(cause as Error).message}`, {
      remedy: 'see `tspod doctor` for what this host allows',
      cause,
    })
  }
}

/** Takes away what `pinNamespaces` made in `dir`; the namespaces end with their last process. Idempotent. Throws NETWORK_FAILED. */
export function unpinNamespaces(dir: string): void {
  for (const file of KINDS.map(kind => join(dir, kind))) {
    for (let round = 0; isPinned(file); round++) {
      if (round === MAX_STACKED) throw unpinFailed(dir, `more than ${MAX_STACKED} mounts on one file`)
      try {
        unmount(file)
      } catch (cause) {
        throw unpinFailed(dir, (cause as Error).message)
      }
    }
    rmSync(file, { force: true })
  }
}

const unpinFailed = (dir: string, why: string): TspodError =>
  new TspodError('NETWORK_FAILED', `cannot unpin the namespaces in ${dir}: ${why}`, {
    remedy: `unmount what \`findmnt -t nsfs\` shows below ${dir}`,
  })

/** True when a namespace is bind-mounted on `file`. */
export function isPinned(file: string): boolean {
  try {
    return statfsSync(file).type === NSFS
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** What netavark says about the pod's interfaces. */
export type NetworkStatus = {
  networks: { name: string; interfaceName: string; mac: string; addresses: string[]; gateways: string[] }[]
  /** Addresses of aardvark-dns; empty when no network of the pod has DNS. */
  dnsServers: string[]
  dnsSearches: string[]
}

/**
 * Connects the pinned network namespace: bridge, veth, addresses, port forwarding, DNS names. A failure is undone.
 * Throws NETWORK_FAILED with netavark's own words, TOOL_MISSING without netavark.
 */
export async function setupNetwork(
  run: Run,
  paths: Paths,
  netnsPath: string,
  input: NetavarkInput,
): Promise<NetworkStatus> {
  const finished = await netavark(run, paths, 'setup', netnsPath, input)
  if (finished.exitCode === 0) return parseStatus(finished.stdout)
  const why = netavarkError(finished)
  await netavark(run, paths, 'teardown', netnsPath, input).catch(() => undefined)
  throw setupFailed(input, why)
}

function setupFailed(input: NetavarkInput, why: string): TspodError {
  const subject = `cannot connect pod ${input.container_name} to network ${Object.keys(input.networks).join(', ')}`
  const dns = /aardvark|:53\b|port 53/.test(why)
  return new TspodError('NETWORK_FAILED', `${subject}: ${why}`, {
    remedy: dns
      ? 'see what else answers on port 53 of this host, or set "dns_enabled": false in the network\'s definition'
      : 'see `tspod doctor`: netavark, and iptables or nft, have to work on this host',
  })
}

/** netavark's complaints that only mean: there is nothing left of this pod to take away. */
const ALREADY_GONE = /No such device|No such file or directory|no such process|not found|does not exist|ENODEV|ENOENT/i

/**
 * Takes away what `setupNetwork` made, firewall rules and DNS names among it, also when the namespace itself is lost.
 * Idempotent. Throws NETWORK_FAILED when something could not be freed.
 */
export async function teardownNetwork(run: Run, paths: Paths, netnsPath: string, input: NetavarkInput): Promise<void> {
  if (isPinned(netnsPath)) return teardownIn(run, paths, netnsPath, input)
  // Rules of the host outlive the namespace, and netavark frees what belongs to the network as a whole only when it
  // takes an interface off the bridge: the pod is connected once more, to a spare namespace, and then disconnected.
  const spare = join(networkRunDirectory(paths), `spare-${input.container_id}`)
  const { net = '' } = pinNamespaces(spare, ['net'])
  try {
    if (hasBridge(input)) await setupNetwork(run, paths, net, input)
    await teardownIn(run, paths, net, input)
  } finally {
    unpinNamespaces(spare)
    await rm(spare, { recursive: true, force: true })
  }
}

const hasBridge = (input: NetavarkInput): boolean =>
  Object.values(input.network_info).some(network => hasInterface(network.network_interface))

/** True when this network namespace has such an interface; /sys may show those of another one. */
export const hasInterface = (name: string): boolean => isListed(readFileSync('/proc/net/dev', 'utf8'), name)

/** True when the text of /proc/net/dev tells of the interface. */
export const isListed = (text: string, name: string): boolean =>
  text.split('\n').some(line => line.trimStart().startsWith(`${name}:`))

async function teardownIn(run: Run, paths: Paths, netnsPath: string, input: NetavarkInput): Promise<void> {
  const finished = await netavark(run, paths, 'teardown', netnsPath, input)
  if (finished.exitCode === 0) return
  const complaints = netavarkError(finished)
    .split(/\n\s*- ?/)
    .filter(line => !line.endsWith('multiple errors:'))
  const serious = complaints.filter(complaint => !ALREADY_GONE.test(complaint))
  if (serious.length === 0) return
  throw new TspodError(
    'NETWORK_FAILED',
    `network of pod ${input.container_name} is only partly removed: ${serious.join('; ')}`,
    {
      remedy: 'run the same command again; see `tspod doctor` when it keeps failing',
    },
  )
}

const IPTABLES = ['/usr/sbin/iptables', '/sbin/iptables', '/usr/bin/iptables']

async function netavark(
  run: Run,
  paths: Paths,
  verb: 'setup' | 'teardown',
  netnsPath: string,
  input: NetavarkInput,
): Promise<Finished> {
  const config = networkRunDirectory(paths)
  mkdirSync(config, { recursive: true, mode: 0o700 })
  forgetDeadResolver(config)
  const aardvark = findAardvark()
  const path = narrowPath()
  return run({
    argv: [
      'netavark',
      '--config',
      config,
      ...(aardvark === undefined ? [] : ['--aardvark-binary', aardvark]),
      verb,
      netnsPath,
    ],
    input: JSON.stringify(input),
    env: {
      ...(path !== undefined && { PATH: path }),
      // netavark's default driver is fixed when it is built; on a host with nft alone only this one can work.
      ...(!IPTABLES.some(existsSync) && { NETAVARK_FW: 'nftables' }),
    },
  })
}

/**
 * Addresses of pods that aardvark-dns answers for on this network. A pod that is missing in a database restored from
 * a backup still has its own. Lines are `ID ADDRESS[,ADDRESS] ADDRESS NAMES`, after one with the gateway.
 */
export function servedAddresses(paths: Paths, network: string): string[] {
  try {
    const lines = readFileSync(join(networkRunDirectory(paths), 'aardvark-dns', network), 'utf8')
      .split('\n')
      .slice(1)
    return lines.flatMap(line => line.split(' ').slice(1, 3)).flatMap(list => list.split(',').filter(Boolean))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** netavark prints failures as JSON on its standard output. */
function netavarkError(finished: Finished): string {
  try {
    return String((JSON.parse(finished.stdout) as { error: unknown }).error)
  } catch {
    return failureText(finished)
  }
}

type RawStatus = Record<
  string,
  {
    dns_server_ips?: string[]
    dns_search_domains?: string[]
    interfaces?: Record<string, { mac_address: string; subnets?: { ipnet: string; gateway?: string }[] }>
  }
>

function parseStatus(text: string): NetworkStatus {
  const status = JSON.parse(text) as RawStatus
  const networks = Object.entries(status).flatMap(([name, { interfaces }]) =>
    Object.entries(interfaces ?? {}).map(([interfaceName, { mac_address: mac, subnets = [] }]) => ({
      name,
      interfaceName,
      mac,
      addresses: subnets.map(({ ipnet }) => ipnet.split('/')[0] as string),
      gateways: subnets.flatMap(({ gateway }) => (gateway === undefined ? [] : [gateway])),
    })),
  )
  const all = Object.values(status)
  return {
    networks,
    dnsServers: [...new Set(all.flatMap(network => network.dns_server_ips ?? []))],
    dnsSearches: [...new Set(all.flatMap(network => network.dns_search_domains ?? []))],
  }
}
