/** Which containers or pods a command means: names, ids, --all, --latest, and what Podman prints of each. */

import { readFile } from 'node:fs/promises'
import type { ContainerAction, ContainerView, Engine, Found, Outcome, PodAction, PodView } from '../../engine/index.ts'
import { EXIT_OWN_ERROR, isTspodError, TspodError } from '../../errors.ts'
import { failureText } from '../failure.ts'
import { containerFilter, containerFilterProblems, podFilter, podFilterProblems } from '../filter.ts'
import { groupFilters } from '../filter-rules.ts'
import type { FlagTable, Problem } from '../flags.ts'
import { latestContainer, latestProblems } from '../latest.ts'
import type { Outcome as Answer, World } from '../verb.ts'

export const TARGET_FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'all of them' },
  latest: { kind: 'switch', initial: false, short: 'l', help: 'the one that was created last' },
} as const satisfies FlagTable

/** Podman has the flag under both names. */
export const ID_FILE_FLAG = {
  cidfile: { kind: 'list', value: 'FILE', help: 'take an id from this file' },
} as const satisfies FlagTable

export const POD_ID_FILE_FLAG = {
  'pod-id-file': { kind: 'list', value: 'FILE', help: 'take the id of a pod from this file' },
} as const satisfies FlagTable

export const IGNORE_FLAG = {
  ignore: { kind: 'switch', initial: false, short: 'i', help: 'what does not exist is no error' },
} as const satisfies FlagTable

export const TIME_FLAG = {
  time: {
    kind: 'number',
    value: 'SECONDS',
    minimum: -1,
    short: 't',
    help: 'between the stop signal and KILL, -1 for ever (default: what the pod says)',
  },
} as const satisfies FlagTable

type Wish = {
  all?: boolean
  latest?: boolean
  ignore?: boolean
  filter?: readonly string[]
  cidfile?: readonly string[]
  'pod-id-file'?: readonly string[]
}

/** What a command takes ids from, of containers or of pods. */
const idFilesOf = (wish: Wish): string[] => [...(wish.cidfile ?? []), ...(wish['pod-id-file'] ?? [])]

/** What is wrong with names beside --all, --latest, --filter or --cidfile, or without any of them. */
export function targetProblems(
  wish: Wish,
  operands: readonly string[],
  what: 'container' | 'pod' = 'container',
): Problem[] {
  const { filter = [] } = wish
  const named = [...operands, ...idFilesOf(wish)]
  if (filter.length > 0 && named.length > 0) return [{ message: '--filter takes no names' }]
  const wrong = what === 'pod' ? podFilterProblems(filter) : containerFilterProblems(filter)
  const all = wish.all === true || filter.length > 0
  return [...wrong, ...latestProblems({ latest: wish.latest === true, all }, named)]
}

/** `-t 5` as milliseconds; nothing when it was not given. Podman takes -1 for "wait for ever". */
export function graceOf(seconds: number | undefined): { graceMs?: number } {
  if (seconds === undefined) return {}
  return { graceMs: seconds < 0 ? FOR_EVER_MS : Math.min(seconds * 1000, FOR_EVER_MS) }
}

const FOR_EVER_MS = 2 ** 31 - 1

/** A target with the name it was asked for by, which is what Podman prints of it. */
export type Target<T> = { asked: string; view: T }
export type Targets<T> = { found: Target<T>[]; missing: TspodError[] }

/** The containers that are meant; a pod's name means none of them, as in Podman. */
export async function containersNamed(
  engine: Engine,
  operands: readonly string[],
  wish: Wish,
  nowMs: number,
): Promise<Targets<ContainerView>> {
  if (wish.all || wish.filter?.length) {
    const pods = await engine.pods()
    const passes = containerFilter(groupFilters(wish.filter ?? []), { pods, nowMs })
    const rows = pods.flatMap(pod => pod.containers.map(container => ({ pod, container }))).filter(passes)
    return { found: rows.map(({ container }) => ({ asked: container.name, view: container })), missing: [] }
  }
  const named = wish.latest ? [await latestContainer(engine)] : [...operands, ...(await readIds(idFilesOf(wish)))]
  return lookUp(named, wish, async asked => {
    const found = await findOr(engine, asked, noSuchContainer(asked, 'see what there is: tspod ps -a'))
    if (found.kind === 'container') return found.container
    throw noSuchContainer(asked, `it is a pod: use \`tspod pod …\`, or name one of its containers: ${asked}/NAME`)
  })
}

/** Files that hold an id in each line, as `podman run --cidfile`, `pod create --pod-id-file` and others write them. */
async function readIds(files: readonly string[]): Promise<string[]> {
  const read = files.map(async file => {
    try {
      return (await readFile(file, 'utf8')).split('\n').filter(line => line.trim() !== '')
    } catch (cause) {
      throw new TspodError('USAGE', `reading CIDFile: ${(cause as Error).message}`, {
        remedy: 'name a file that holds an id',
        cause,
      })
    }
  })
  return (await Promise.all(read)).flat()
}

/** The pods that are meant. */
export async function podsNamed(
  engine: Engine,
  operands: readonly string[],
  wish: Wish,
  nowMs: number,
): Promise<Targets<PodView>> {
  const pods = await engine.pods()
  const all = pods.filter(({ kind }) => kind === 'pod')
  if (wish.all || wish.filter?.length) {
    const passes = podFilter(groupFilters(wish.filter ?? []), { pods, nowMs })
    return { found: all.filter(passes).map(view => ({ asked: view.name, view })), missing: [] }
  }
  if (wish.latest) {
    const view = newest(all)
    return view === undefined ? noPod : { found: [{ asked: view.name, view }], missing: [] }
  }
  const named = [...operands, ...(await readIds(idFilesOf(wish)))]
  return lookUp(named, wish, async asked => {
    const found = await findOr(engine, asked, noSuchPod(asked))
    if (found.kind === 'pod') return found.pod
    throw noSuchPod(asked)
  })
}

/** Finds a name; Podman has a sentence of its own for each kind of thing that is missing. */
async function findOr(engine: Engine, asked: string, missing: TspodError): Promise<Found> {
  try {
    return await engine.find(asked)
  } catch (error) {
    // A prefix that fits several ids has its own words.
    throw isTspodError(error, 'NO_SUCH_OBJECT') && error.message.includes('no such object') ? missing : error
  }
}

const noSuchContainer = (asked: string, remedy: string): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `no container with name or ID "${asked}" found: no such container`, { remedy })

const noSuchPod = (asked: string): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `no pod with name or ID ${asked} found: no such pod`, {
    remedy: 'see what there is: tspod pod ps',
  })

function newest<T extends { createdMs: number }>(all: readonly T[]): T | undefined {
  return all.reduce<T | undefined>(
    (last, one) => (last === undefined || one.createdMs >= last.createdMs ? one : last),
    undefined,
  )
}

const noPod: Targets<never> = {
  found: [],
  missing: [new TspodError('NO_SUCH_OBJECT', 'no pods to use: no such pod', { remedy: 'play something first' })],
}

async function lookUp<T>(
  operands: readonly string[],
  { ignore }: Wish,
  find: (asked: string) => Promise<T>,
): Promise<Targets<T>> {
  const targets: Targets<T> = { found: [], missing: [] }
  for (const asked of operands) {
    try {
      targets.found.push({ asked, view: await find(asked) })
    } catch (error) {
      if (!isTspodError(error, 'NO_SUCH_OBJECT')) throw error
      if (!ignore) targets.missing.push(error)
    }
  }
  return targets
}

type Asked = { flags: Wish; operands: readonly string[] }

/** Does one thing to the containers that are meant; `able` says which of all containers --all means. */
export async function actOnContainers(
  { flags, operands }: Asked,
  world: World,
  action: ContainerAction,
  able: (container: ContainerView) => boolean,
): Promise<Answer> {
  const engine = await world.engine()
  const { found, missing } = await containersNamed(engine, operands, flags, world.clock.nowMs())
  const meant = flags.all || flags.filter?.length ? found.filter(({ view }) => able(view)) : found
  const ids = meant.map(({ view }) => view.id)
  return report(meant, await engine.operateContainers(ids, action, world.signal), missing)
}

/** Does one thing to the pods that are meant. */
export async function actOnPods(
  { flags, operands }: Asked,
  world: World,
  action: PodAction,
  exitCodeOf?: (errors: readonly Error[]) => number,
): Promise<Answer> {
  const engine = await world.engine()
  const { found, missing } = await podsNamed(engine, operands, flags, world.clock.nowMs())
  const ids = found.map(({ view }) => view.id)
  return report(
    found,
    await engine.operatePods(ids, action, world.signal),
    missing,
    index => ids[index] ?? '',
    exitCodeOf,
  )
}

/** What people start and stop: a service, an infra container or a sidecar comes and goes with its pod. */
export const isRegular = ({ kind }: ContainerView): boolean => kind === 'regular'

/**
 * What a command prints that was done to many: the name of each that went well, one error for each that did not, and
 * exit code 125 when there is any of those.
 */
export function report(
  targets: readonly { asked: string }[],
  outcomes: readonly Outcome[],
  missing: readonly TspodError[],
  shown: (index: number) => string = index => targets[index]?.asked ?? '',
  exitCodeOf: (errors: readonly Error[]) => number = () => EXIT_OWN_ERROR,
): Answer {
  const errors = [...missing, ...outcomes.flatMap(({ error }) => error ?? [])]
  const done = outcomes.flatMap(({ error }, index) => (error === undefined ? `${shown(index)}\n` : []))
  return {
    stdout: done.join(''),
    stderr: errors.map(error => failureText(error).text).join(''),
    exitCode: errors.length > 0 ? exitCodeOf(errors) : 0,
  }
}
