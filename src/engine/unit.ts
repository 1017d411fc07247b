/** Pods in the cgroup of the systemd unit that played them, and pods in a place of their own. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type CgroupPlace,
  cgroupExists,
  controlBelow,
  enterCgroup,
  type Hierarchy,
  type PodCgroup,
  podCgroup,
} from '../oci/index.ts'
import { ownUnit, type Unit } from '../systemd/index.ts'
import type { EngineContext } from './context.ts'
import type { PodRecord } from './state/index.ts'

/** Where the pod's cgroup is: below the unit that played it, as is on record, or where all others are. */
export const cgroupOf = (
  context: Pick<EngineContext, 'cgroupPlace'>,
  pod: Pick<PodRecord, 'name' | 'id' | 'settings'>,
): PodCgroup => podCgroup(placeOf(context, pod), { name: pod.name, id: pod.id })

/** What `cgroupOf` goes by. */
export const placeOf = (
  { cgroupPlace }: Pick<EngineContext, 'cgroupPlace'>,
  { settings: { unit } }: Pick<PodRecord, 'settings'>,
): CgroupPlace => (unit === undefined ? cgroupPlace : { manager: 'parent', path: unit.cgroup })

/** True for a pod whose unit has ended, and its cgroup with it. */
export const isHomeless = ({ hierarchies }: EngineContext, { settings: { unit } }: PodRecord): boolean =>
  unit !== undefined && !cgroupExists(hierarchies, unit.cgroup)

/**
 * `reloads`: the unit is up already, and this command is to make it what its manifest says now. `moved` is to be
 * waited for before anything is started in the unit; it fails with HOST_LACKS when the kernel refuses.
 */
export type Entered = { unit: Unit; reloads: boolean; moved: Promise<void> }

/**
 * The delegated unit this command runs in; undefined outside of one. This process leaves the unit's own cgroup for
 * `control` then: controllers can be handed down only by a cgroup without processes.
 */
export function enterUnit(context: EngineContext): Entered | undefined {
  const { hierarchies, invocationId, notifySocket, cgroupPlace } = context
  if (cgroupPlace.manager !== 'systemd') return undefined
  const tree = treeOfUnits(hierarchies)
  const standing = tree && ownUnit(tree, invocationId)
  if (tree === undefined || standing === undefined) return undefined
  const { unit, inner } = standing
  const moved =
    inner === ''
      ? enterCgroup(hierarchies, controlBelow(unit.cgroup), process.pid, { parentExists: true })
      : Promise.resolve()
  // Looked at by whoever waits for it: a play that is refused before does not.
  moved.catch(() => undefined)
  const lacks = tree.controllers === '' ? missingControllers(tree.mount, unit.cgroup) : []
  if (lacks.length > 0) {
    context.note(`${unit.name} has no ${lacks.join(', ')} controller below it: limits that need it have no effect`)
  }
  return {
    unit: { ...unit, ...(notifySocket !== undefined && { notify: notifySocket }) },
    reloads: inner === '.control',
    moved,
  }
}

/** The tree systemd keeps its units in. */
function treeOfUnits(
  hierarchies: readonly Hierarchy[],
): { mount: string; controllers: '' | 'name=systemd' } | undefined {
  const named = hierarchies.find(({ controllers }) => controllers.includes('name=systemd'))
  if (named !== undefined) return { mount: named.mount, controllers: 'name=systemd' }
  const unified = hierarchies.find(({ version }) => version === 2)
  return unified && { mount: unified.mount, controllers: '' }
}

function missingControllers(mount: string, cgroup: string): string[] {
  const there = readFileSync(join(mount, cgroup, 'cgroup.controllers'), 'utf8')
    .trim()
    .split(' ')
  return ['cpu', 'memory', 'pids'].filter(name => !there.includes(name))
}
