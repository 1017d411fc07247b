/** `tspod network ls`, `tspod network inspect`. */
import type { NetworkView } from '../../engine/index.ts'
import { badPattern, groupFilters, passesAll, pattern, problemsOf, type Rules } from '../filter-rules.ts'
import type { FlagTable } from '../flags.ts'
import { FILTER_FLAG } from '../list-flags.ts'
import { INSPECT_FLAGS, inspectOutcome, LISTING_FLAGS, listOutcome, type Shown } from '../listing.ts'
import type { Struct } from '../template/index.ts'
import { defineVerb } from '../verb.ts'

const LS_FLAGS = { ...FILTER_FLAG, ...LISTING_FLAGS } as const satisfies FlagTable

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
    return listOutcome(networks, flags, SHOWN, world.out)
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

const SHOWN: Shown<NetworkView> = {
  quiet: ({ definition }) => definition.name,
  header: ['NAME', 'SUBNETS', 'BRIDGE', 'PODS'],
  cells: ({ definition, pods }) => [
    definition.name,
    definition.subnets.map(({ subnet }) => subnet).join(','),
    definition.network_interface,
    pods.join(','),
  ],
  record,
  fields,
  titles: TITLES,
  typeName: 'networks.ListPrintReports',
}

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
    return inspectOutcome(operands, name => engine.network(name), flags, SHOWN)
  },
})
