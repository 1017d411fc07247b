/** Which containers or pods a command means: names, ids, --all, --latest, and what Podman prints of each. */
import type { ContainerView, Engine, Outcome, PodView } from '../../engine/index.ts'
import { EXIT_OWN_ERROR, isTspodError, TspodError } from '../../errors.ts'
import { failureText } from '../failure.ts'
import type { FlagTable, Problem } from '../flags.ts'
import type { Outcome as Answer } from '../verb.ts'

export const TARGET_FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'all of them' },
  latest: { kind: 'switch', initial: false, short: 'l', help: 'the one that was created last' },
} as const satisfies FlagTable

export const IGNORE_FLAG = {
  ignore: { kind: 'switch', initial: false, short: 'i', help: 'what does not exist is no error' },
} as const satisfies FlagTable

export const TIME_FLAG = {
  time: { kind: 'text', value: 'SECONDS', short: 't', help: 'between the stop signal and KILL (default: as the pod says)' },
} as const satisfies FlagTable

type Wish = { all: boolean; latest: boolean; ignore?: boolean; filter?: readonly string[] }

/** Podman's complaints about names together with --all or --latest, and about neither. */
export function targetProblems(wish: Wish, operands: readonly string[], what: 'container' | 'pod'): Problem[] {
  const wide = wish.all || wish.latest || (wish.filter ?? []).length > 0
  if (wish.all && wish.latest) return [{ message: '--all and --latest cannot be used together' }]
  if (wide && operands.length > 0) return [{ message: '--all, --latest and --filter cannot be used with names' }]
  if (!wide && operands.length === 0) {
    return [{ message: `you must provide at least one name or id`, remedy: `name a ${what}, or use --all` }]
  }
  return []
}

/** `-t 5` as milliseconds; undefined when it was not given. Podman takes -1 for "wait for ever". */
export function graceOf(time: string | undefined): { graceMs?: number } {
  if (time === undefined) return {}
  const seconds = Number(time)
  return { graceMs: seconds < 0 ? FOR_EVER_MS : seconds * 1000 }
}

/** Whole seconds, or -1. */
export function timeProblems(time: string | undefined): Problem[] {
  if (time === undefined || /^(-1|\d{1,9})$/.test(time)) return []
  return [{ message: `invalid argument "${time}" for "-t, --time" flag: want seconds` }]
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
): Promise<Targets<ContainerView>> {
  const pods = await engine.pods()
  const all = pods.flatMap(pod => pod.containers)
  if (wish.all) return { found: all.map(view => ({ asked: view.name, view })), missing: [] }
  if (wish.latest) {
    const view = newest(all)
    return view === undefined ? none('container') : { found: [{ asked: view.name, view }], missing: [] }
  }
  return lookUp(operands, wish, async asked => {
    const found = await engine.find(asked)
    if (found.kind === 'container') return found.container
    throw new TspodError('NO_SUCH_OBJECT', `no container with name or ID "${asked}" found: no such container`, {
      remedy: `"${asked}" is a pod: use \`tspod pod …\`, or name one of its containers: ${asked}/NAME`,
    })
  })
}

/** The pods that are meant. */
export async function podsNamed(engine: Engine, operands: readonly string[], wish: Wish): Promise<Targets<PodView>> {
  const all = (await engine.pods()).filter(({ kind }) => kind === 'pod')
  if (wish.all) return { found: all.map(view => ({ asked: view.name, view })), missing: [] }
  if (wish.latest) {
    const view = newest(all)
    return view === undefined ? none('pod') : { found: [{ asked: view.name, view }], missing: [] }
  }
  return lookUp(operands, wish, async asked => {
    const found = await engine.find(asked)
    if (found.kind === 'pod') return found.pod
    throw noSuchPod(asked)
  })
}

const noSuchPod = (asked: string): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `no pod with name or ID ${asked} found: no such pod`, {
    remedy: 'see what there is: tspod pod ps',
  })

function newest<T extends { createdMs: number }>(all: readonly T[]): T | undefined {
  return all.reduce<T | undefined>((last, one) => (last === undefined || one.createdMs >= last.createdMs ? one : last), undefined)
}

const none = (what: string): Targets<never> => ({
  found: [],
  missing: [new TspodError('NO_SUCH_OBJECT', `no ${what}s to use: no such ${what}`, { remedy: `there is no ${what} yet` })],
})

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

/**
 * What a command prints that was done to many: the name of each that went well, one error for each that did not, and
 * exit code 125 when there is any of those.
 */
export function report(
  targets: readonly { asked: string }[],
  outcomes: readonly Outcome[],
  missing: readonly TspodError[],
  shown: (index: number) => string = index => targets[index]?.asked ?? '',
): Answer {
  const errors = [...missing, ...outcomes.flatMap(({ error }) => error ?? [])]
  const done = outcomes.flatMap(({ error }, index) => (error === undefined ? `${shown(index)}\n` : []))
  return {
    stdout: done.join(''),
    stderr: errors.map(error => failureText(error).text).join(''),
    exitCode: errors.length > 0 ? EXIT_OWN_ERROR : 0,
  }
}
