/** `--latest`: the container or pod that was created last, instead of a name. */
import type { Engine } from '../engine/index.ts'
import { TspodError } from '../errors.ts'
import type { FlagTable, Problem } from './flags.ts'

export const LATEST_FLAG = {
  latest: {
    kind: 'switch',
    initial: false,
    short: 'l',
    help: 'the container that was created last, instead of a name',
  },
} as const satisfies FlagTable

export const LATEST_POD_FLAG = {
  latest: { ...LATEST_FLAG.latest, help: 'the pod that was created last, instead of a name' },
} as const satisfies FlagTable

/** What is wrong with names beside `--latest`, or without either; `all` is a flag that stands for every container. */
export function latestProblems(flags: { latest: boolean; all?: boolean }, operands: readonly string[]): Problem[] {
  const chosen = [flags.latest, flags.all === true, operands.length > 0].filter(Boolean).length
  if (chosen > 1) return [{ message: '--all, --latest and names cannot be used together' }]
  return chosen === 0 ? [{ message: 'you must provide at least one name or id' }] : []
}

/** Id of the container that was created last. Throws NO_SUCH_OBJECT when there is none. */
export async function latestContainer(engine: Engine): Promise<string> {
  const containers = (await engine.pods())
    .flatMap(pod => pod.containers)
    .filter(({ kind }) => kind !== 'infra' && kind !== 'service')
  const latest = newest(containers)
  if (latest !== undefined) return latest.id
  throw new TspodError('NO_SUCH_OBJECT', 'no containers: no such container', { remedy: 'play something first' })
}

/** Id of the pod that was created last. Throws NO_SUCH_OBJECT when there is none. */
export async function latestPod(engine: Engine): Promise<string> {
  const latest = newest((await engine.pods()).filter(({ kind }) => kind === 'pod'))
  if (latest !== undefined) return latest.id
  throw new TspodError('NO_SUCH_OBJECT', 'no pods: no such pod', { remedy: 'play something first' })
}

/** Of those made in the same millisecond the one that stands last. */
const newest = <Of extends { createdMs: number }>(all: readonly Of[]): Of | undefined =>
  all.toReversed().toSorted((a, b) => b.createdMs - a.createdMs)[0]
