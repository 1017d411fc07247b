/** `tspod top` and `tspod pod top`: processes of running containers. */
import type { ProcessTable } from '../engine/index.ts'
import type { FlagTable, Problem } from './flags.ts'
import { LATEST_FLAG, LATEST_POD_FLAG, latestContainer, latestPod } from './latest.ts'
import { printable } from './output.ts'
import { table } from './table.ts'
import { defineVerb } from './verb.ts'

const DESCRIPTORS_FLAG = {
  'list-descriptors': { kind: 'switch', initial: false, hidden: true, help: 'names of all columns' },
} as const satisfies FlagTable

const COLUMNS =
  'Columns are those of ps(1): args, comm, etime, group, nice, pcpu, pgid, pid, ppid, rgroup, rss, ruser, state, stime, ' +
  'time, tty, user, vsz, also as codes like %U; and capamb, capbnd, capeff, capinh, capprm, groups, hgroup, hgroups, ' +
  'hpid, huser, label and seccomp. Those that begin with h are seen from the host. No program of the container is run.'

export const top = defineVerb({
  operands: 'CONTAINER [COLUMN...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description: `Lists the processes of a running container with the pids it knows them by, zombies too. ${COLUMNS}`,
  examples: [
    { does: 'What runs', line: 'tspod top web-nginx' },
    { does: 'Who on the host, with which rights', line: 'tspod top web-nginx pid hpid huser capeff seccomp args' },
  ],
  flags: { ...DESCRIPTORS_FLAG, ...LATEST_FLAG },
  check: input => nameProblems(input, 'container'),
  async run({ flags, operands }, world) {
    if (flags['list-descriptors']) return descriptorList()
    const engine = await world.engine()
    const [name = '', ...columns] = flags.latest ? [await latestContainer(engine), ...operands] : operands
    return { stdout: processTable(await engine.top(name, columns)) }
  },
})

export const podTop = defineVerb({
  operands: 'POD [COLUMN...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description: `Lists the processes of all running containers of a pod. ${COLUMNS}`,
  examples: [
    { does: 'What runs', line: 'tspod pod top web' },
    { does: 'Some columns', line: 'tspod pod top web pid user rss args' },
  ],
  flags: { ...DESCRIPTORS_FLAG, ...LATEST_POD_FLAG },
  check: input => nameProblems(input, 'pod'),
  async run({ flags, operands }, world) {
    if (flags['list-descriptors']) return descriptorList()
    const engine = await world.engine()
    const [name = '', ...columns] = flags.latest ? [await latestPod(engine), ...operands] : operands
    return { stdout: processTable(await engine.topPod(name, columns)) }
  },
})

type Named = { flags: { latest: boolean; 'list-descriptors': boolean }; operands: readonly string[] }

const nameProblems = ({ flags, operands }: Named, what: string): Problem[] =>
  operands.length > 0 || flags.latest || flags['list-descriptors']
    ? []
    : [{ message: `you must provide the name or id of a running ${what}` }]

async function descriptorList(): Promise<{ stdout: string }> {
  const { descriptorNames } = await import('../engine/index.ts')
  return {
    stdout: descriptorNames()
      .map(name => `${name}\n`)
      .join(''),
  }
}

const processTable = ({ header, rows }: ProcessTable): string =>
  table(
    header,
    rows.map(row => row.map(printable)),
  )
