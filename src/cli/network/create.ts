/** `tspod network create`. */
import { isTspodError } from '../../errors.ts'
import { randomHex } from '../../random.ts'
import { INTERFACE_NAME, NETWORK_NAME } from '../../words.ts'
import type { FlagTable, Problem } from '../flags.ts'
import { defineVerb, type Input } from '../verb.ts'

const FLAGS = {
  'disable-dns': { kind: 'switch', initial: false, help: 'pods do not find each other by name' },
  dns: { kind: 'list', value: 'ADDRESS', comma: true, help: 'a server for names that are not of pods' },
  driver: { kind: 'choice', choices: ['bridge'], short: 'd', help: 'a bridge is the only kind' },
  gateway: { kind: 'list', value: 'ADDRESS', help: 'the address of the host, of the subnet at the same place' },
  ignore: { kind: 'switch', initial: false, help: 'one that exists is no error' },
  'interface-name': { kind: 'text', value: 'NAME', help: 'the name of the bridge' },
  internal: { kind: 'switch', initial: false, help: 'no way out of it but to the host' },
  'ip-range': { kind: 'list', value: 'SUBNET', help: 'the part that addresses are given from' },
  ipv6: { kind: 'switch', initial: false, help: 'with a subnet of IPv6 as well' },
  opt: { kind: 'list', value: 'KEY=VALUE', short: 'o', help: 'an option of netavark: mtu, vlan, isolate, …' },
  subnet: { kind: 'list', value: 'SUBNET', help: 'without one a free subnet is chosen' },
} as const satisfies FlagTable

const NAME_DIGITS = 12

export const networkCreate = defineVerb({
  operands: '[NAME]',
  count: { minimum: 0, maximum: 1 },
  description:
    'Makes a network that pods join with `tspod kube play --network NAME`, and prints its name. It is a file in ' +
    '/etc/tspod/networks, in the format of `podman network inspect`; its bridge comes with the first pod and goes with ' +
    'the last one. Without NAME it gets one.',
  examples: [
    { does: 'One that is chosen for you', line: 'tspod network create backend' },
    { does: 'With addresses of your own', line: 'tspod network create --subnet 10.120.0.0/24 --internal backend' },
  ],
  flags: FLAGS,
  refused: { 'networks have no labels here': 'label=', 'routes come from the gateway alone': 'route=' },
  check: ({ flags, operands: [name] }) => [...nameProblems(name, flags), ...optionProblems(flags)],
  async run({ flags, operands: [name = `net-${randomHex(NAME_DIGITS / 2)}`] }, world) {
    const networkInterface = flags['interface-name']
    const wish = {
      name,
      subnets: flags.subnet,
      gateways: flags.gateway,
      ranges: flags['ip-range'],
      ipv6: flags.ipv6,
      internal: flags.internal,
      dns: !flags['disable-dns'],
      dnsServers: flags.dns,
      options: Object.fromEntries(flags.opt.map(text => text.split(/=(.*)/s) as [string, string])),
      ...(networkInterface !== undefined && { networkInterface }),
    }
    try {
      await (await world.engine()).createNetwork(wish)
    } catch (error) {
      if (!flags.ignore || !isTspodError(error, 'NAME_IN_USE')) throw error
    }
    return { stdout: `${name}\n` }
  },
})

type Flags = Input<typeof FLAGS>['flags']

function nameProblems(name: string | undefined, flags: Flags): Problem[] {
  const bridge = flags['interface-name']
  return [
    ...(name === undefined || NETWORK_NAME.test(name)
      ? []
      : [{ message: `"${name}" is no name of a network`, remedy: 'use letters, digits, _, . and -' }]),
    ...(bridge === undefined || INTERFACE_NAME.test(bridge)
      ? []
      : [
          { message: `"${bridge}" is no name of an interface`, remedy: 'use at most 15 letters, digits, dots, dashes' },
        ]),
  ]
}

function optionProblems({ gateway, subnet, opt, 'ip-range': range }: Flags): Problem[] {
  const alone = (flag: string, values: readonly string[]): Problem[] =>
    values.length > subnet.length ? [{ message: `--${flag} needs a --subnet that it belongs to` }] : []
  const bad = opt.filter(text => text.indexOf('=') < 1)
  return [
    ...alone('gateway', gateway),
    ...alone('ip-range', range),
    ...bad.map(text => ({ message: `"${text}" is no option`, remedy: 'write KEY=VALUE, for example mtu=1400' })),
  ]
}
