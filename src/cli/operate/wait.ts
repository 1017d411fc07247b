/** `tspod wait`, `tspod pod wait`. */
import { parseDuration } from '../../duration.ts'
import type { ContainerState } from '../../engine/index.ts'
import type { FlagTable, Problem } from '../flags.ts'
import { defineVerb } from '../verb.ts'
import { containersNamed, ID_FILE_FLAG, podsNamed, report, targetProblems } from './targets.ts'

/** Podman's words, several for some of ours. */
const STATES: Readonly<Record<string, readonly ContainerState[]>> = {
  configured: ['configured'],
  created: ['created'],
  initialized: ['created'],
  running: ['running'],
  paused: ['paused'],
  stopping: ['stopping'],
  stopped: ['stopped'],
  exited: ['exited'],
  removing: ['removing'],
  unknown: ['unknown'],
}
const DEFAULT_STATES: readonly ContainerState[] = ['exited', 'stopped']
const DEFAULT_INTERVAL_MS = 250

const FLAGS = {
  latest: { kind: 'switch', initial: false, short: 'l', help: 'the one that was created last' },
  ignore: { kind: 'switch', initial: false, help: 'what does not exist is no error; its code is -1' },
  condition: {
    kind: 'list',
    value: 'STATE',
    comma: true,
    help: 'wait until it is in this state, or in any of several (default exited)',
  },
  interval: { kind: 'text', value: 'TIME', short: 'i', help: 'time between two looks: 500, 500ms, 2s (default 250ms)' },
} as const satisfies FlagTable
const CONTAINER_FLAGS = { ...FLAGS, ...ID_FILE_FLAG } as const satisfies FlagTable

/** `250ms`, `2s`, or a bare number of milliseconds, in milliseconds; undefined for anything else. */
function intervalMs(text: string): number | undefined {
  const ms = parseDuration(/\d$/.test(text) ? `${text}ms` : text)
  return ms === undefined ? undefined : Math.max(1, ms)
}

type Flags = { condition: string[]; interval: string | undefined; latest: boolean }

function problems(flags: Flags, operands: readonly string[]): Problem[] {
  const found = targetProblems(flags, operands)
  for (const word of flags.condition) {
    if (Object.hasOwn(STATES, word)) continue
    const remedy = `known are ${Object.keys(STATES).join(', ')}`
    found.push({ message: `invalid condition "${word}": unknown container state: ${word}`, remedy })
  }
  if (flags.interval !== undefined && intervalMs(flags.interval) === undefined) {
    found.push({ message: `invalid argument "${flags.interval}" for "-i, --interval" flag: want 250ms, 2s` })
  }
  return found
}

const statesOf = ({ condition }: Flags): readonly ContainerState[] =>
  condition.length === 0 ? DEFAULT_STATES : condition.flatMap(word => STATES[word] ?? [])

const lookEveryMs = ({ interval }: Flags): number =>
  interval === undefined ? DEFAULT_INTERVAL_MS : (intervalMs(interval) ?? DEFAULT_INTERVAL_MS)

export const wait = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Waits until containers have ended, or are in the state that is asked for, and prints the exit code of each; -1 ' +
    'for one that has none.',
  examples: [
    { does: 'The end of a job', line: 'tspod wait report-generator' },
    { does: 'Until it runs', line: 'tspod wait --condition running web-nginx' },
    {
      does: 'Either of two states, looking twice a second',
      line: 'tspod wait --condition=running,exited -i 500ms web-nginx',
    },
  ],
  flags: CONTAINER_FLAGS,
  check: ({ flags, operands }) => problems(flags, operands),
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const { found, missing } = await containersNamed(engine, operands, flags, world.clock.nowMs())
    const ids = found.map(({ view }) => view.id)
    const codes = await engine.waitFor(ids, statesOf(flags), lookEveryMs(flags), world.signal)
    const done = ids.map((id, index) => ({ id, name: found[index]?.asked ?? id }))
    const ignored = flags.ignore ? operands.length - found.length : 0
    const answer = report(found, done, missing, index => String(codes[index]))
    return { ...answer, stdout: `${answer.stdout}${'-1\n'.repeat(Math.max(0, ignored))}` }
  },
})

export const podWait = defineVerb({
  operands: 'POD [POD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Waits until every regular container of pods has ended, or is in the state that is asked for, and prints one exit ' +
    'code for each pod: the first one that is not 0.',
  examples: [{ does: 'The end of a pod', line: 'tspod pod wait report' }],
  flags: FLAGS,
  check: ({ flags, operands }) => problems(flags, operands),
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const { found, missing } = await podsNamed(engine, operands, flags, world.clock.nowMs())
    const codes = await Promise.all(
      found.map(async ({ view }) => {
        const regular = view.containers.filter(({ kind }) => kind === 'regular').map(({ id }) => id)
        const all = await engine.waitFor(regular, statesOf(flags), lookEveryMs(flags), world.signal)
        return all.find(code => code !== 0) ?? 0
      }),
    )
    const done = found.map(({ view }) => ({ id: view.id, name: view.name }))
    return report(found, done, missing, index => String(codes[index]))
  },
})
