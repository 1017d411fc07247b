/** `tspod info`: this host, the programs tspod uses, and where it keeps things. */
import { versions } from 'node:process'
import type { Paths } from '../paths.ts'
import { VERSION } from '../version.ts'
import type { FlagTable } from './flags.ts'
import { type HostReport, readHost } from './host-table.ts'
import { printable } from './output.ts'
import { json, size } from './table.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  format: {
    kind: 'choice',
    choices: ['text', 'json'],
    short: 'f',
    help: 'lines for people or one JSON object for scripts',
  },
} as const satisfies FlagTable

export const info = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description: 'Shows this host, the versions of the programs tspod uses, and where images, state and logs are kept.',
  examples: [
    { does: 'For people', line: 'tspod info' },
    { does: 'Where state is kept', line: 'tspod info --format json | jq -r .paths.root' },
  ],
  flags: FLAGS,
  anyUser: true,
  async run({ flags }, world) {
    const record = infoRecord(await readHost(world), world.paths)
    return { stdout: flags.format === 'json' ? json(record) : infoText(record) }
  },
})

/** What `info` shows; the names are stable. */
export type InfoRecord = {
  version: string
  node: string
  host: {
    kernel: string
    arch: string
    cpus: number
    memoryBytes: number
    cgroup: string
    apparmor: boolean
    selinux: boolean
  }
  storage: { driver: string; graphRoot: string; runRoot: string } | null
  paths: { root: string; runRoot: string; logRoot: string; config: string }
  checks: { name: string; found: string; status: string }[]
}

/** The facts of a host under their public names. */
export function infoRecord({ facts, checks, store }: HostReport, paths: Paths): InfoRecord {
  return {
    version: VERSION,
    node: versions.node,
    host: {
      kernel: facts.kernel,
      arch: facts.arch,
      cpus: facts.cpus,
      memoryBytes: facts.memoryBytes,
      cgroup: facts.cgroup,
      apparmor: facts.apparmor,
      selinux: facts.selinux,
    },
    storage: store === undefined ? null : { driver: store.driver, graphRoot: store.graphRoot, runRoot: store.runRoot },
    paths: { root: paths.root, runRoot: paths.runRoot, logRoot: paths.logRoot, config: paths.config },
    checks: checks.map(({ name, found, status }) => ({ name, found, status })),
  }
}

/** The record as sections of aligned lines. */
export function infoText(record: InfoRecord): string {
  const { host, storage, paths } = record
  const yesNo = (value: boolean): string => (value ? 'yes' : 'no')
  return [
    section('tspod', [
      ['version', record.version],
      ['node', record.node],
    ]),
    section('host', [
      ['kernel', host.kernel],
      ['architecture', host.arch],
      ['processors', String(host.cpus)],
      ['memory', size(host.memoryBytes)],
      ['cgroups', host.cgroup],
      ['apparmor', yesNo(host.apparmor)],
      ['selinux', yesNo(host.selinux)],
    ]),
    section(
      'found',
      record.checks.map(check => [check.name, check.found]),
    ),
    section(
      'storage',
      storage === null
        ? [['configuration', 'cannot be read: see `tspod doctor`']]
        : [
            ['driver', storage.driver],
            ['images', storage.graphRoot],
            ['run time', storage.runRoot],
          ],
    ),
    section('paths', [
      ['state', paths.root],
      ['run time', paths.runRoot],
      ['logs', paths.logRoot],
      ['configuration', paths.config],
    ]),
  ].join('')
}

function section(title: string, rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2
  return [`${title}:`, ...rows.map(([name, value]) => `  ${name.padEnd(width)}${printable(value)}`.trimEnd()), ''].join(
    '\n',
  )
}
