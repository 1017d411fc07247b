/** `tspod inspect`, `container inspect` and `pod inspect`: everything known about pods and containers. */
import type { Inspected, ObjectKind } from '../engine/index.ts'
import { EXIT_OWN_ERROR, isTspodError } from '../errors.ts'
import { failureText } from './failure.ts'
import type { FlagTable, Problem } from './flags.ts'
import { containerInspection } from './inspect-container.ts'
import { podInspection } from './inspect-pod.ts'
import { latestContainer, latestPod } from './latest.ts'
import { printableLines } from './output.ts'
import { formatEach, type Struct, toJson, wantsJson } from './template/index.ts'
import { defineVerb, type Outcome, type World } from './verb.ts'

const FLAGS = {
  format: { kind: 'text', value: 'json|TEMPLATE', short: 'f', help: 'a Go template for each, instead of JSON' },
  latest: { kind: 'switch', initial: false, short: 'l', help: 'the one that was created last, instead of a name' },
} as const satisfies FlagTable

const TYPE_FLAG = {
  type: {
    kind: 'choice',
    choices: ['all', 'container', 'pod'],
    short: 't',
    help: 'what the names are names of; without it either',
  },
} as const satisfies FlagTable

const NO_SIZES = { 'tspod does not measure containers: leave it out': 's|size' }
const ANY_NUMBER = { minimum: 0, maximum: Number.POSITIVE_INFINITY }

const DESCRIPTION =
  'Values of Secrets are left out. What does not exist is told on standard error and makes the exit code 125; the ' +
  'others are still printed. Templates and capitalised names are those of Podman; docs/format.md lists them.'

export const inspect = defineVerb({
  operands: 'NAME|ID [NAME|ID...]',
  count: ANY_NUMBER,
  description: `Prints one JSON array with a record for each pod or container that is named. ${DESCRIPTION}`,
  examples: [
    { does: 'A pod', line: 'tspod inspect web' },
    { does: 'One container of it', line: 'tspod inspect web/nginx' },
    { does: 'Several', line: 'tspod inspect web db-postgres' },
    { does: 'One fact', line: `tspod inspect -f '{{.State.Status}}' web-nginx` },
  ],
  flags: { ...FLAGS, ...TYPE_FLAG },
  refused: NO_SIZES,
  check: ({ flags, operands }) => wrongOperands(flags.latest, operands),
  run: ({ flags, operands }, world) => {
    const kind = flags.type === 'all' ? undefined : flags.type
    return show(operands, { ...flags, kind }, world)
  },
})

export const containerInspect = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: ANY_NUMBER,
  description: `Prints one JSON array with a record for each container that is named. ${DESCRIPTION}`,
  examples: [
    { does: 'A container', line: 'tspod container inspect web-nginx' },
    { does: 'Its address', line: `tspod container inspect -f '{{.NetworkSettings.IPAddress}}' web-nginx` },
    {
      does: 'What is mounted where',
      line: `tspod container inspect -f '{{range .Mounts}}{{println .Source .Destination}}{{end}}' web-nginx`,
    },
  ],
  flags: FLAGS,
  refused: NO_SIZES,
  check: ({ flags, operands }) => wrongOperands(flags.latest, operands),
  run: ({ flags, operands }, world) => show(operands, { ...flags, kind: 'container' }, world),
})

export const podInspect = defineVerb({
  operands: 'POD [POD...]',
  count: ANY_NUMBER,
  description: `Prints one JSON array with a record for each pod that is named, as Podman 5 does. ${DESCRIPTION}`,
  examples: [
    { does: 'A pod', line: 'tspod pod inspect web' },
    { does: 'Its state', line: `tspod pod inspect -f '{{.State}}' web` },
    { does: 'Its containers', line: `tspod pod inspect -f '{{range .Containers}}{{println .Name .State}}{{end}}' web` },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => wrongOperands(flags.latest, operands),
  run: ({ flags, operands }, world) => show(operands, { ...flags, kind: 'pod' }, world),
})

function wrongOperands(latest: boolean, operands: readonly string[]): Problem[] {
  if (latest && operands.length > 0) return [{ message: '--latest and arguments cannot be used together' }]
  return latest || operands.length > 0 ? [] : [{ message: 'no names or ids specified' }]
}

type Wanted = { kind: ObjectKind | undefined; format: string | undefined; latest: boolean }

async function show(operands: readonly string[], wanted: Wanted, world: World): Promise<Outcome> {
  const engine = await world.engine()
  // Without a kind the latest container is meant, as in Podman.
  const latest = (): Promise<string> => (wanted.kind === 'pod' ? latestPod(engine) : latestContainer(engine))
  const names = wanted.latest ? [await latest()] : operands
  const found: Inspected[] = []
  const complaints: string[] = []
  for (const name of names) {
    try {
      found.push(await engine.inspect(name, wanted.kind))
    } catch (error) {
      if (!isTspodError(error, 'NO_SUCH_OBJECT')) throw error
      complaints.push(failureText(error).text)
    }
  }
  return {
    stdout: inspections(found, wanted.format ?? 'json', world),
    stderr: complaints.join(''),
    exitCode: complaints.length > 0 ? EXIT_OWN_ERROR : 0,
  }
}

function inspections(found: readonly Inspected[], format: string, { out }: Pick<World, 'out'>): string {
  const records = found.map(one => (one.kind === 'pod' ? podInspection(one) : containerInspection(one)))
  if (wantsJson(format)) return toJson(records)
  const isPod = (record: Struct): boolean => found[records.indexOf(record)]?.kind === 'pod'
  const text = formatEach(format, records, record =>
    isPod(record) ? '*define.InspectPodData' : '*define.InspectContainerData',
  )
  return out.isTerminal ? printableLines(text) : text
}
