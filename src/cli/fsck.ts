/** `tspod system fsck`: is everything as the records say, and is there nothing else. */
import type { CheckedFinding, SetAside } from '../engine/index.ts'
import { databasePath } from '../paths.ts'
import type { FlagTable } from './flags.ts'
import { type Colour, paint, printable } from './output.ts'
import { json } from './table.ts'
import { defineVerb, type Output, type World } from './verb.ts'

const FLAGS = {
  format: { kind: 'choice', choices: ['text', 'json'], help: 'lines for people or one JSON document for scripts' },
  rebuild: {
    kind: 'switch',
    initial: false,
    help: 'make a damaged database anew, with the pods and volumes that are there',
  },
  repair: { kind: 'switch', initial: false, help: 'heal what can be healed' },
} as const satisfies FlagTable

/** Something is not as it should be, as opposed to: could not look. */
const EXIT_FOUND = 1

export const fsck = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Compares the database with the kernel, the OCI runtimes, the image store and the network, in both directions: I1 ' +
    'the database itself; I2 pods and containers that are not what their records say; I3 things that tspod made and no ' +
    'record tells of; I8 locks that stand for nothing. Without --repair nothing is changed. With it lost containers are ' +
    'recorded, interrupted plays and removals are finished, and what is provably of this installation and of no use is ' +
    'removed; volumes are never touched. Pods that somebody is working on are left out. The exit code is 0 when all is ' +
    'well (or healed), 1 when something is not, 125 when it could not look.\n' +
    'With --rebuild a damaged database is put aside and made anew from the copies of their records that pods have ' +
    'beside it. What runs goes on running, and nothing else is started or removed. Secrets, Jobs and ' +
    'events are what can still be read of it, and of its last backup: there is one a day, state.db.backup.',
  examples: [
    { does: 'Look', line: 'tspod system fsck' },
    { does: 'Heal', line: 'tspod system fsck --repair' },
    { does: 'After "state.db is damaged"', line: 'tspod system fsck --rebuild' },
    {
      does: 'What a repair left, for a script',
      line: `tspod system fsck --repair --format json | jq '.findings[] | select(.state == "left")'`,
    },
  ],
  flags: FLAGS,
  check: ({ flags }) =>
    flags.rebuild && flags.repair
      ? [{ message: '--rebuild and --repair exclude each other', remedy: 'rebuild first, and look at what is left' }]
      : [],
  async run({ flags }, world) {
    const aside = flags.rebuild ? await putAside(world) : undefined
    const wish = flags.rebuild ? 'adoption' : flags.repair ? 'everything' : 'nothing'
    const checked = await (await world.engine()).check(wish, world.signal)
    const report = aside === undefined ? checked : { ...checked, findings: [madeAnew(aside), ...checked.findings] }
    const open = report.findings.filter(({ state }) => state !== 'repaired')
    const exitCode = open.length > 0 ? EXIT_FOUND : 0
    if (flags.format === 'json') return { stdout: json(report), exitCode }
    const lines = report.findings.flatMap(finding => findingLines(finding, world.out))
    const busy = report.busy.map(name => `pod ${name} is being worked on, and was not looked at`)
    const repaired = report.findings.length - open.length
    const sum =
      report.findings.length === 0
        ? 'all is well'
        : `${open.length} found${repaired > 0 ? `, ${repaired} repaired` : ''}`
    return { stdout: `${[...lines, ...busy, sum].join('\n')}\n`, exitCode }
  },
})

async function putAside(world: World): Promise<SetAside> {
  const { setAside } = await import('../engine/index.ts')
  return setAside(databasePath(world.paths), world.clock.nowMs())
}

const madeAnew = ({ aside, gaps }: SetAside): CheckedFinding => ({
  invariant: 'I1',
  object: 'database',
  problem: 'it was damaged',
  remedy: [`made anew; what was there is ${aside}`, ...gaps].join('; '),
  state: 'repaired',
})

const COLOUR_OF: Record<CheckedFinding['state'], Colour> = { found: 'yellow', repaired: 'green', left: 'red' }

function findingLines({ invariant, object, problem, remedy, state, error }: CheckedFinding, out: Output): string[] {
  const why = error === undefined ? '' : `, which failed: ${error}`
  return [
    `${paint(state.padEnd(8), COLOUR_OF[state], out.colour)} ${invariant} ${printable(`${object}: ${problem}`)}`,
    `            → ${printable(`${state === 'found' ? '--repair ' : ''}${remedy}${why}`)}`,
  ]
}
