/** What becomes of the units of a source: each manifest is one of tspod-kube@. Pure. */
import { TspodError } from '../../errors.ts'
import type { Protection } from '../../model.ts'
import { unitOfName } from '../../systemd/index.ts'
import type { ApplyPlan, ApplyRequest, PlannedObject } from '../types/index.ts'
import { DRIFT_IGNORED } from './held.ts'

/** A manifest that a source has written for a unit. */
export type UnitRecord = { unit: string; file: string; text: string }

/** A unit as it should be. */
export type WantedUnit = UnitRecord & { name: string }

/** What is found of a unit. */
export type FoundUnit = {
  /** The manifest's text; absent: there is none. */
  text?: string
  /** ActiveState and UnitFileState of systemd. */
  active: string
  enabled: boolean
  protection?: Protection
  /** All that it runs says that drift is to be ignored. */
  ignoresDrift?: true
}

/** The units of the files of a source, each named after source and file. Throws NAME_IN_USE for two of one name. */
export function wantedUnits(
  source: string,
  files: readonly { file: string; text: string }[],
  folder: string,
): WantedUnit[] {
  const units = new Map<string, WantedUnit>()
  for (const { file, text } of files) {
    const name = `${source}-${file.replace(/\.(ya?ml|json)$/i, '').replace(/[^A-Za-z0-9_.:-]+/g, '-')}`
    const { unit } = unitOfName(name, folder)
    const rival = units.get(unit)
    if (rival !== undefined) {
      throw new TspodError('NAME_IN_USE', `${rival.file} and ${file} would both be the unit ${unit}`, {
        remedy: 'give one of them another name',
      })
    }
    units.set(unit, { unit, file, text, name })
  }
  return [...units.values()]
}

/** What has to be done to each unit, and why. */
export function planUnits(
  wanted: readonly WantedUnit[],
  known: readonly UnitRecord[],
  found: ReadonlyMap<string, FoundUnit>,
  { app, prune, mayPrune }: Pick<ApplyRequest, 'app' | 'prune' | 'mayPrune'>,
): ApplyPlan {
  const objects = wanted.map(unit =>
    planned(
      unit,
      known.find(each => each.unit === unit.unit),
      found.get(unit.unit),
    ),
  )
  for (const { unit, file } of known) {
    if (wanted.some(each => each.unit === unit)) continue
    const protection = found.get(unit)?.protection
    const goes = prune && (mayPrune?.({ kind: 'Unit', name: unit }, protection) ?? protection === undefined)
    const kept = protection === undefined ? 'pruning is off' : `io.tspod.prune: ${protection}`
    objects.push({
      ...object(unit),
      action: goes ? 'prune' : 'keep',
      effect: goes ? 'delete' : 'none',
      because: [`${file} is no longer in the source${goes ? '' : `; ${kept}`}`],
    })
  }
  return { app, objects }
}

const object = (unit: string): PlannedObject => ({
  kind: 'Unit',
  name: unit,
  action: 'unchanged',
  effect: 'none',
  because: [],
  changes: [],
  wave: 0,
})

function planned(wanted: WantedUnit, known: UnitRecord | undefined, found: FoundUnit | undefined): PlannedObject {
  const base = { ...object(wanted.unit), place: { file: wanted.file, line: 1, column: 1 } }
  if (known === undefined) {
    if (found?.text !== undefined) {
      throw new TspodError(
        'NAME_IN_USE',
        `${wanted.file}: there is a manifest for ${wanted.unit} already, and it is not of this source`,
        {
          remedy: `move it away (tspod systemd cat ${wanted.unit}), or give the file in the source another name`,
        },
      )
    }
    return { ...base, action: 'create', because: [`${wanted.file} is new`] }
  }
  if (known.text !== wanted.text) {
    return { ...base, action: 'configure', effect: 'restart', because: [`${wanted.file} has changed`] }
  }
  if (found?.ignoresDrift) return { ...base, action: 'keep', because: [DRIFT_IGNORED] }
  if (found?.text !== wanted.text) {
    return {
      ...base,
      action: 'configure',
      effect: 'restart',
      because: ['somebody has changed the manifest of the unit'],
    }
  }
  if (!['active', 'activating', 'reloading'].includes(found.active))
    return { ...base, action: 'start', because: [`the unit is ${found.active}`] }
  if (!found.enabled) return { ...base, action: 'start', because: ['the unit does not start at boot'] }
  return base
}
