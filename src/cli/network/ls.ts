/** `tspod network ls`, `tspod network inspect`. */
import type { NetworkView } from '../../engine/index.ts'
import { EXIT_OWN_ERROR, isTspodError } from '../../errors.ts'
import { failureText } from '../failure.ts'
import { badPattern, groupFilters, passesAll, pattern, problemsOf, type Rules } from '../filter-rules.ts'
import type { FlagTable } from '../flags.ts'
import { FILTER_FLAG, FORMAT_FLAG } from '../list-flags.ts'
import { printableLines } from '../output.ts'
import { table } from '../table.ts'
import { formatEach, formatList, type Struct, toJson, wantsJson } from '../template/index.ts'
import { defineVerb } from '../verb.ts'

const LS_FLAGS = {
  ...FILTER_FLAG,
  ...FORMAT_FLAG,
  noheading: { kind: 'switch', initial: false, short: 'n', help: 'a table without its first line' },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'print names only' },
} as const satisfies FlagTable

/** What `table …` puts above a field (podman network ls). */
const TITLES: Readonly<Record<string, string>> = {
  DNSEnabled: 'DNSENABLED',
  Driver: 'DRIVER',
  ID: 'NETWORK ID',
  IPv6Enabled: 'IPV6ENABLED',
  Internal: 'INTERNAL',
  Name: 'NAME',
  NetworkInterface: 'NETWORKINTERFACE',
  Options: 'OPTIONS',
}

const RULES: Rules<NetworkView, object> = {
  name: {
    wrong: badPattern,
    passes: ({ definition }, values) => values.some(value => pattern(value).test(definition.name)),
  },
  id: { passes: ({ definition }, values) => values.some(value => definition.id.startsWith(value)) },
  driver: { passes: ({ definition }, values) => values.some(value => value === definition.driver) },
  dangling: {
    wrong: value =>
      ['true', 'false', '1', '0'].includes(value) ? undefined : `${JSON.stringify(value)} is not a valid value`,
    passes: ({ pods }, values) => values.every(value => ['true', '1'].includes(value) === (pods.length === 0)),
  },
}

export const networkLs = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Lists the networks that pods may join: the default one, and those in /etc/tspod/networks. PODS are those that ' +
    'have joined one, running or not. Filters are name, id, driver and dangling.',
  examples: [
    { does: 'All of them', line: 'tspod network ls' },
    { does: 'Bridges', line: `tspod network ls --format '{{.Name}} {{.NetworkInterface}}'` },
  ],
  flags: LS_FLAGS,
  check: ({ flags }) => problemsOf(RULES, flags.filter, text => `invalid filter ${JSON.stringify(text)}`),
  async run({ flags }, world) {
    const passes = passesAll(RULES, groupFilters(flags.filter), {})
    const networks = (await (await world.engine()).networks()).filter(passes)
    const { format = 'table' } = flags
    if (flags.quiet) return { stdout: networks.map(({ definition }) => `${definition.name}\n`).join('') }
    if (wantsJson(format)) return { stdout: toJson(networks.map(record)) }
    if (format !== 'table') {
      const how = { typeName: 'networks.ListPrintReports', titles: TITLES, heading: !flags.noheading }
      const text = formatList(format, networks.map(fields), how)
      return { stdout: world.out.isTerminal ? printableLines(text) : text }
    }
    const rows = networks.map(({ definition, pods }) => [
      definition.name,
      definition.subnets.map(({ subnet }) => subnet).join(','),
      definition.network_interface,
      pods.join(','),
    ])
    const text = table(['NAME', 'SUBNETS', 'BRIDGE', 'PODS'], rows)
    return { stdout: flags.noheading ? text.slice(text.indexOf('\n') + 1) : text }
  },
})

/** The record of `podman network inspect`, whose names are those of the file, with the pods. */
const record = ({ definition, pods }: NetworkView): Struct => ({
  ...definition,
  network_dns_servers: definition.network_dns_servers ?? [],
  ipam_options: new Map(Object.entries(definition.ipam_options)),
  options: new Map(Object.entries(definition.options)),
  subnets: definition.subnets.map(({ lease_range, ...rest }) => ({ ...rest, ...(lease_range && { lease_range }) })),
  pods,
})

/** What a template finds. */
const fields = (network: NetworkView): Struct => {
  const { name, id, driver, network_interface, ipv6_enabled, internal, dns_enabled, subnets } = network.definition
  return {
    Name: name,
    ID: id.slice(0, 12),
    Driver: driver,
    NetworkInterface: network_interface,
    IPv6Enabled: ipv6_enabled,
    Internal: internal,
    DNSEnabled: dns_enabled,
    Subnets: subnets.map(({ subnet, gateway }) => ({ Subnet: subnet, Gateway: gateway })),
    Options: new Map(Object.entries(network.definition.options)),
    toJSON: () => record(network),
  }
}

const INSPECT_FLAGS = {
  format: { kind: 'text', value: 'json|TEMPLATE', short: 'f', help: 'a Go template for each, instead of JSON' },
} as const satisfies FlagTable

export const networkInspect = defineVerb({
  operands: 'NETWORK [NETWORK...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Prints one JSON array with a record for each network, in the format of `podman network inspect`, which is that of ' +
    'the files in /etc/tspod/networks. What does not exist makes the exit code 125; the others are still printed.',
  examples: [
    { does: 'The default one', line: 'tspod network inspect tspod' },
    { does: 'Its subnets', line: `tspod network inspect -f '{{range .Subnets}}{{println .Subnet}}{{end}}' tspod` },
  ],
  flags: INSPECT_FLAGS,
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const found: NetworkView[] = []
    const complaints: string[] = []
    for (const name of operands) {
      try {
        found.push(await engine.network(name))
      } catch (error) {
        if (!isTspodError(error, 'NO_SUCH_OBJECT')) throw error
        complaints.push(failureText(error).text)
      }
    }
    const { format = 'json' } = flags
    const stdout = wantsJson(format)
      ? toJson(found.map(record))
      : formatEach(format, found.map(fields), () => 'types.NetworkInspectReport')
    return { stdout, stderr: complaints.join(''), exitCode: complaints.length > 0 ? EXIT_OWN_ERROR : 0 }
  },
})
