/** What stands of networks: name records, forwarded ports, interfaces and bridges. */
import { join } from 'node:path'
import { type Id, type Protocol, servingContainers } from '../../model.ts'
import { findProgram, hasInterface, isListed, type NetavarkInput, type NetworkDefinition } from '../../oci/index.ts'
import { networkRunDirectory } from '../../paths.ts'
import type { EngineContext } from '../context.ts'
import type { PodRecord, SandboxFacts } from '../state/index.ts'
import type { PodFacts } from './facts.ts'
import { namesIn, textOf } from './gather-objects.ts'

export type Forward = { address: string; containerPort: number; hostPort: number; protocol: Protocol }

export type NetworkFacts = {
  /** aardvark-dns's lines: which pod has which address in which network. */
  records: { network: string; id: Id; address: string }[]
  /** True when aardvark-dns runs. */
  answers: boolean
  /** Undefined when no program of this host can tell. */
  forwards: Forward[] | undefined
}

/** Looks at what all pods share. */
export async function lookAtNetwork({ run, paths }: EngineContext): Promise<NetworkFacts> {
  const directory = join(networkRunDirectory(paths), 'aardvark-dns')
  const records = namesIn(directory)
    .filter(name => name !== 'aardvark.pid')
    .flatMap(network =>
      textOf(join(directory, network))
        .split('\n')
        .flatMap(line => {
          const [id = '', address = ''] = line.split(' ')
          return /^[0-9a-f]{64}$/.test(id) ? [{ network, id: id as Id, address: address.split(',')[0] ?? '' }] : []
        }),
    )
  const pid = Number.parseInt(textOf(join(directory, 'aardvark.pid')), 10)
  const answers = textOf(`/proc/${pid}/cmdline`).includes(directory)
  const texts: string[] = []
  for (const argv of RULES) {
    if (findProgram(argv[0]) === undefined) continue
    const { exitCode, stdout } = await run({ argv })
    if (exitCode === 0) texts.push(stdout)
  }
  return { records, answers, forwards: texts.length === 0 ? undefined : parseForwards(texts.join('\n')) }
}

const RULES: readonly [string, ...string[]][] = [
  ['iptables-save', '-t', 'nat'],
  ['ip6tables-save', '-t', 'nat'],
  ['nft', 'list', 'ruleset'],
]

const FORWARD =
  /\b(tcp|udp|sctp)\b.*?\bdport (\d+)\b.*?(?:--to-destination|dnat (?:ip6? )?to) \[?([0-9a-f.:]+?)\]?:(\d+)\s*$/

/** Forwarded ports in the output of iptables-save and of nft. */
export function parseForwards(text: string): Forward[] {
  return text.split('\n').flatMap(line => {
    const [, protocol, hostPort, address, containerPort] = FORWARD.exec(line) ?? []
    if (address === undefined) return []
    return [
      {
        address,
        containerPort: Number(containerPort),
        hostPort: Number(hostPort),
        protocol: protocol as Protocol,
      },
    ]
  })
}

/** What stands of one pod's connection; undefined for a pod without one. */
export async function networkOf(
  { run }: EngineContext,
  pod: PodRecord,
  sandbox: SandboxFacts,
  seen: NetworkFacts,
): Promise<PodFacts['network']> {
  const input = sandbox.network as NetavarkInput | undefined
  if (input === undefined) return undefined
  const definitions: NetworkDefinition[] = Object.values(input.network_info)
  const wanted = Object.values(input.networks).map(network => network.interface_name)
  const inside = await run({ argv: ['nsenter', `--net=${join(sandbox.namespaces, 'net')}`, 'cat', '/proc/net/dev'] })
  const named = definitions.filter(network => network.dns_enabled && findProgram('aardvark-dns') !== undefined)
  const ports = servingContainers(pod.spec).flatMap(container => container.ports)
  const isForwarded = (port: (typeof ports)[number]): boolean =>
    port.hostPort === undefined ||
    seen.forwards === undefined ||
    seen.forwards.some(
      forward =>
        sandbox.addresses.includes(forward.address) &&
        forward.containerPort === port.containerPort &&
        forward.hostPort === port.hostPort &&
        forward.protocol === port.protocol,
    )
  return {
    interfaces: wanted.every(name => isListed(inside.stdout, name)),
    bridge: definitions.every(network => hasInterface(network.network_interface)),
    names: named.every(
      ({ name }) => seen.answers && seen.records.some(record => record.network === name && record.id === pod.id),
    ),
    ports: ports.every(isForwarded),
  }
}
