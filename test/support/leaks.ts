/**
 * Leak counters: everything tspod makes on a host, as sorted names per kind, so that a difference says what leaked.
 * `snapshot` looks at the host it runs on; `snapshotIn` and `withLeakCheck` do it inside a cell or a machine.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { systemClock } from '../../src/clock.ts'
import { databasePath, type Paths } from '../../src/paths.ts'
import { mustSucceed } from '../../src/process.ts'
import { type Place, program } from './place.ts'

export type Snapshot = Record<string, string[]>
export type Leak = { kind: string; appeared: string[]; vanished: string[] }

const STORAGE = '/var/lib/containers/storage'
const TEMPORARY = ['/tmp', '/var/tmp']
/** A cell shares /var/tmp with its host, where other test runs and their containers-storage are at work. */
const SHARED_TEMPORARY = hostname() === 'tspod-cell' ? /^(storage\d+$|tspod-)/ : undefined
const OWN_CGROUP = /tspod|libpod|crun|conmon|[0-9a-f]{64}/
// Another test run may have machines, cells and scratch folders of its own at the same time.
const OWN_TEMPORARY = /^(tspod(?!-machine-|-cell-|-manifests-|-test-|-\w+-test-)|containers?[-_.]|storage)/
const HELPERS = /^(conmon|catatonit|aardvark-dns|netavark|skopeo|crun|runc|containers-stora|unshare)$/
/** A unit of Debian that systemd starts on demand and that ends by itself. */
const FOREIGN = 'dhcp-proxy'
/** Rows that outlive their pods by design. */
const LASTING_TABLES = new Set(['volume', 'event', 'sqlite_sequence'])
/** Exit hooks, aardvark-dns and the kernel's own release of namespaces end a moment after the command that caused it. */
const SETTLE_MS = 6_000
const POLL_MS = 250

/** Everything that counts, on this host, for the installation with these roots. */
export function snapshot(paths: Paths): Snapshot {
  const counters: Snapshot = {
    mounts: mounts(),
    'named network namespaces': names('/run/netns'),
    links: links(),
    'nft rules': nftRules(),
    'iptables rules': [...iptablesRules('iptables-save'), ...iptablesRules('ip6tables-save')],
    cgroups: cgroups(),
    processes: processes(),
    rows: rows(databasePath(paths)),
    'files of root': files(paths.root).filter(path => !/^(state\.db|volumes\/)/.test(path)),
    // crun keeps compiled seccomp profiles, one for each different set of capabilities, for all containers to come.
    'files of run root': files(paths.runRoot).filter(path => !/^runtime\/crun\/\.cache\//.test(path)),
    'files of log root': files(paths.logRoot),
    'storage containers': storageIds('overlay-containers', 'containers.json', 'volatile-containers.json'),
    'storage layers': storageIds('overlay-layers', 'layers.json', 'volatile-layers.json'),
    'runtime state': [...names('/run/crun'), ...names('/run/runc')],
    'systemd units': systemdUnits(),
    'temporary files': TEMPORARY.flatMap(directory =>
      names(directory).filter(name => OWN_TEMPORARY.test(name) && !SHARED_TEMPORARY?.test(name)),
    ),
  }
  for (const list of Object.values(counters)) list.sort()
  return counters
}

/** What is in one and not in the other; a name that occurs twice counts twice. */
export function difference(before: Snapshot, after: Snapshot): Leak[] {
  const kinds = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return kinds
    .map(kind => {
      const [old, now] = [before[kind] ?? [], after[kind] ?? []]
      return { kind, appeared: without(now, old), vanished: without(old, now) }
    })
    .filter(({ appeared, vanished }) => appeared.length + vanished.length > 0)
}

/** The snapshot of a cell or machine, taken by this very file inside it. */
export async function snapshotIn(place: Place): Promise<Snapshot> {
  const taken = await place.exec(program(place, 'test/support/snapshot.ts'))
  return JSON.parse(mustSucceed(taken, 'counting what there is').stdout) as Snapshot
}

/** Runs `body` and throws when, some seconds later, anything counted differs from before. */
export async function withLeakCheck<T>(place: Place, body: () => Promise<T>): Promise<T> {
  const before = await snapshotIn(place)
  const result = await body()
  const deadline = systemClock.monotonicMs() + SETTLE_MS
  for (;;) {
    const leaks = difference(before, await snapshotIn(place))
    if (leaks.length === 0) return result
    if (systemClock.monotonicMs() > deadline) throw new Error(`left behind:\n${describeLeaks(leaks)}`)
    await systemClock.sleep(POLL_MS)
  }
}

/** One line per object: `+` appeared, `-` vanished. */
export function describeLeaks(leaks: readonly Leak[]): string {
  return leaks
    .flatMap(({ kind, appeared, vanished }) => [
      ...appeared.map(name => `+ ${kind}: ${name}`),
      ...vanished.map(name => `- ${kind}: ${name}`),
    ])
    .join('\n')
}

function without(list: readonly string[], taken: readonly string[]): string[] {
  const left = new Map<string, number>()
  for (const name of taken) left.set(name, (left.get(name) ?? 0) + 1)
  return list.filter(name => {
    const count = left.get(name) ?? 0
    left.set(name, count - 1)
    return count <= 0
  })
}

/** `type target root` of every mount: ids and devices differ from boot to boot. */
function mounts(): string[] {
  return lines(textOf('/proc/self/mountinfo')).map(line => {
    const [head = '', tail = ''] = line.split(' - ')
    const fields = head.split(' ')
    return `${tail.split(' ')[0]} ${fields[4]} ${fields[3]}`
  })
}

function links(): string[] {
  const known = JSON.parse(output('ip', '-j', '-details', 'link') || '[]') as {
    ifname: string
    linkinfo?: { info_kind?: string }
  }[]
  return known.map(({ ifname, linkinfo }) => `${linkinfo?.info_kind ?? 'device'} ${ifname}`)
}

function nftRules(): string[] {
  const { nftables } = JSON.parse(output('nft', '-j', 'list', 'ruleset') || '{"nftables":[]}') as {
    nftables: { rule?: { family: string; table: string; chain: string; expr: unknown } }[]
  }
  return nftables.flatMap(({ rule }) =>
    // Counters of packets grow without anything being added.
    rule === undefined
      ? []
      : [
          `${rule.family} ${rule.table} ${rule.chain} ${JSON.stringify(rule.expr).replace(/"(packets|bytes)":\d+/g, '')}`,
        ],
  )
}

const iptablesRules = (command: string): string[] => lines(output(command)).filter(line => line.startsWith('-A'))

function cgroups(): string[] {
  const trees = lines(textOf('/proc/mounts'))
    .map(line => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
  return trees.flatMap(([, tree = '']) => directories(tree).filter(path => OWN_CGROUP.test(path.slice(tree.length))))
}

function directories(root: string): string[] {
  return entriesOf(root)
    .filter(entry => entry.isDirectory())
    .flatMap(entry => [join(root, entry.name), ...directories(join(root, entry.name))])
}

/** Helpers of ours, and whatever lives in a PID namespace of its own. A zombie is dead. */
function processes(): string[] {
  const own = readlinkSync('/proc/self/ns/pid')
  return names('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      const [, comm = '', state = ''] = /^\d+ \((.*)\) (\S)/s.exec(textOf(`/proc/${pid}/stat`)) ?? []
      if (state === '' || state === 'Z' || state === 'X') return []
      const isTspod = textOf(`/proc/${pid}/cmdline`).includes('/dist/tspod.cjs')
      const isContained = namespaceOf(pid) !== own
      const args = textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
      const isOurs = (HELPERS.test(comm) && !args.includes(FOREIGN)) || isTspod || isContained
      return isOurs ? [`${comm}: ${args}`.slice(0, 160)] : []
    })
}

function namespaceOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    // Ended in between: as good as one of this namespace.
    return readlinkSync('/proc/self/ns/pid')
  }
}

/** `table rows` of every table that empties when its pods go. */
function rows(file: string): string[] {
  if (!existsSync(file)) return []
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[]
    return tables
      .filter(({ name }) => !LASTING_TABLES.has(name))
      .map(({ name }) => {
        const { count } = database.prepare(`SELECT count(*) AS count FROM "${name}"`).get() as { count: number }
        return `${name} ${count}`
      })
  } finally {
    database.close()
  }
}

function files(root: string, inside = ''): string[] {
  return entriesOf(join(root, inside)).flatMap(entry => {
    const path = join(inside, entry.name)
    return entry.isDirectory() ? [`${path}/`, ...files(root, path)] : [path]
  })
}

function storageIds(directory: string, ...tables: string[]): string[] {
  return tables.flatMap(table => {
    const text = textOf(join(STORAGE, directory, table)) || '[]'
    return (JSON.parse(text) as { id: string }[]).map(({ id }) => id)
  })
}

function systemdUnits(): string[] {
  if (!existsSync('/run/systemd/system')) return []
  const wanted = ['tspod*', 'libpod*', 'crun*']
  return lines(output('systemctl', 'list-units', '--all', '--plain', '--no-legend', ...wanted)).map(line => line.trim())
}

function output(program: string, ...args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    // Not installed here: there is nothing of its kind to count.
    return ''
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function entriesOf(path: string): { name: string; isDirectory(): boolean }[] {
  try {
    return readdirSync(path, { withFileTypes: true })
  } catch {
    return []
  }
}

const names = (path: string): string[] => entriesOf(path).map(({ name }) => name)
const lines = (text: string): string[] => text.split('\n').filter(line => line !== '')
