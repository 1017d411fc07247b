/** Which pods wait for which: the annotation `io.tspod.depends-on: "pod/db, deployment/cache"`, across all documents. */

import { firstPods } from '../job.ts'
import type { JobSpec, PodName, PodSpec } from '../model.ts'
import { startOrder } from '../order.ts'
import { objectLabel } from '../words.ts'
import type { Setting } from './metadata.ts'
import type { ReadPod } from './pod/index.ts'
import { didYouMean, quote } from './yaml/index.ts'

const HOW = 'write pod/NAME or deployment/NAME; of containers of one pod io.tspod.depends-on/CONTAINER: "OTHER"'

/** `kind/name` as kubectl writes it. */
const labelOf = ({ origin }: PodSpec): string => objectLabel(origin)

/** Puts what the annotations say into the pods, notes what is not there, and reports what goes round in a circle. */
export function applyDependencies(pods: readonly ReadPod[], jobs: readonly JobSpec[], incomplete: boolean): void {
  if (pods.every(({ waits }) => waits.length === 0)) return
  const targets = new Map<string, PodName[]>()
  for (const { spec } of pods) {
    const job = jobs.find(({ template }) => template === spec)
    const names = job === undefined ? [spec.name] : firstPods(job).map(({ name }) => name)
    targets.set(labelOf(spec), [...(targets.get(labelOf(spec)) ?? []), ...names])
  }
  for (const { spec, waits } of pods) {
    const names = waits.flatMap(setting => namesIn(setting, labelOf(spec), targets, incomplete))
    if (names.length > 0) spec.startAfter = [...new Set([...(spec.startAfter ?? []), ...names])]
  }
  refuseCircles(pods)
}

function namesIn(
  setting: Setting,
  own: string,
  targets: ReadonlyMap<string, PodName[]>,
  incomplete: boolean,
): PodName[] {
  return setting.text.split(',').flatMap(word => {
    const wanted = word.trim().toLowerCase()
    const found = targets.get(wanted)
    if (wanted === own) setting.complain('INVALID_VALUE', `${quote(wanted)} cannot depend on itself`, 'remove it')
    else if (found !== undefined) return found
    else if (!/^[a-z]+\/[^/]+$/.test(wanted))
      setting.complain('INVALID_VALUE', `${quote(word.trim())} does not say what it is about`, HOW)
    // It may be in a document that could not be read, or in a file that is played by itself.
    else if (!incomplete) {
      const meant = didYouMean(wanted, [...targets.keys()])
      setting.note(`${quote(wanted)} is not in these manifests, and not waited for${meant ? `; ${meant}` : ''}`)
    }
    return []
  })
}

function refuseCircles(pods: readonly ReadPod[]): void {
  const result = startOrder(pods.map(({ spec }) => ({ name: spec.name, dependsOn: spec.startAfter ?? [] })))
  if (!('cycle' in result)) return
  const members = result.cycle.flatMap(name => pods.find(({ spec }) => spec.name === name) ?? [])
  // Of pods of one workload the first says it all.
  const path = [...new Set(members.map(({ spec }) => labelOf(spec)))]
  const message = `the pods depend on one another in a circle: ${[...path, path[0] ?? ''].join(' -> ')}`
  const [setting] = members.flatMap(({ waits }) => waits)
  setting?.complain('INVALID_VALUE', message, 'take one of these dependencies away')
}
