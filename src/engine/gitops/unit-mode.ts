/** Sources whose manifests are units of tspod-kube@: written, enabled, reloaded and stopped through systemd. */
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, isTspodError, TspodError } from '../../errors.ts'
import { writeAtomic } from '../../files.ts'
import { translate } from '../../kube/index.ts'
import { openUnits, type Units, unitOfOperand } from '../../systemd/index.ts'
import { objectLabel } from '../../words.ts'
import type { EngineContext } from '../context.ts'
import type { ApplyPlan, ApplyReport, AppObject, PlannedObject, Told } from '../types/index.ts'
import { ignoring } from './drift.ts'
import type { ApplyJob } from './hands.ts'
import { type FoundUnit, planUnits, type UnitRecord, type WantedUnit, wantedUnits } from './unit-plan.ts'

export type UnitMode = {
  plan(job: ApplyJob): Promise<ApplyPlan>
  apply(job: ApplyJob, told: Told, signal: AbortSignal): Promise<ApplyReport>
  /** The units of a source and how they are. */
  objects(source: string): Promise<AppObject[]>
  /** Stops and forgets every unit of a source; what could not be stopped. */
  removeAll(source: string, signal: AbortSignal): Promise<string[]>
}

type Doing = { units: Units; context: EngineContext; folder: string; source: string; signal: AbortSignal }
type Results = ApplyReport['results']

/** What is done with units, through one connection to systemd at a time. */
export function openUnitMode(context: EngineContext): UnitMode {
  const folder = join(context.paths.config, 'kube')
  const withUnits = async <T>(work: (units: Units) => Promise<T>): Promise<T> => {
    const units = openUnits(context.clock, 'system')
    try {
      return await work(units)
    } finally {
      units.close()
    }
  }
  const look = async (units: Units, { source, files, request }: ApplyJob) => {
    const wanted = wantedUnits(source.name, files, folder)
    const known = await readUnits(context, source.name)
    const found = new Map<string, FoundUnit>()
    for (const { unit } of [...wanted, ...known])
      if (!found.has(unit)) found.set(unit, await findUnit(units, unit, folder, known))
    return { wanted, plan: planUnits(wanted, known, found, request) }
  }
  return {
    plan: job => withUnits(async units => (await look(units, job)).plan),
    apply: (job, told, signal) =>
      withUnits(async units => {
        const { wanted, plan } = await look(units, job)
        if ((await job.request.agree?.(plan)) === false) return { plan, results: [], ready: true }
        const doing = { units, context, folder, source: job.source.name, signal }
        return { plan, ...(await carryOut(doing, plan, wanted, job, told)) }
      }),
    objects: source =>
      withUnits(async units => {
        const known = await readUnits(context, source)
        return Promise.all(known.map(async ({ unit }) => unitObject(unit, (await units.show(unit)).active)))
      }),
    removeAll: (source, signal) =>
      withUnits(async units => {
        const failures: string[] = []
        for (const { unit } of await readUnits(context, source)) {
          const failure = await removeUnit({ units, context, folder, source, signal }, unit).then(
            () => undefined,
            wordsOf,
          )
          if (failure !== undefined) failures.push(`${unit}: ${failure}`)
        }
        return failures
      }),
  }
}

const PHASES: Readonly<Record<string, NonNullable<AppObject['phase']>>> = {
  active: 'Running',
  reloading: 'Running',
  activating: 'Pending',
  failed: 'Failed',
}

const unitObject = (unit: string, active: string): AppObject => ({
  kind: 'Unit',
  name: unit,
  hash: '',
  wave: 0,
  phase: PHASES[active] ?? 'Missing',
})

async function readUnits({ store }: EngineContext, source: string): Promise<UnitRecord[]> {
  const rows = await store.all('SELECT unit, file, text FROM gitops_unit WHERE source = ? ORDER BY unit', [source])
  return rows.map(row => ({ unit: String(row.unit), file: String(row.file), text: String(row.text) }))
}

const manifestOf = (unit: string, folder: string): string => unitOfOperand(unit, folder, path => path).manifest

async function findUnit(units: Units, unit: string, folder: string, known: readonly UnitRecord[]): Promise<FoundUnit> {
  const text = await readFile(manifestOf(unit, folder), 'utf8').catch(error => {
    if (isMissing(error)) return undefined
    throw error
  })
  const { active, enabled } = await units.show(unit)
  const own = known.find(each => each.unit === unit)
  return {
    ...(text !== undefined && { text }),
    active,
    enabled: enabled === 'enabled',
    ...(own !== undefined && wordsIn(own)),
  }
}

/** What the manifest of a unit says about itself: the strictest word of io.tspod.prune, and whether all of it may drift. */
function wordsIn(known: UnitRecord): Pick<FoundUnit, 'protection' | 'ignoresDrift'> {
  try {
    const { bundle } = translate([known], { baseDirectory: '/' })
    const words = bundle.pods.map(({ annotations }) => annotations['io.tspod.prune'])
    const protection = (['disabled', 'confirm'] as const).find(word => words.includes(word))
    const may = new Set(ignoring(bundle))
    const ignoresDrift = bundle.pods.length > 0 && bundle.pods.every(({ origin }) => may.has(objectLabel(origin)))
    return { ...(protection !== undefined && { protection }), ...(ignoresDrift && { ignoresDrift }) }
  } catch (error) {
    // It is an older tspod's, or refers to a Secret that is gone: what cannot be read is not removed unasked.
    if (isTspodError(error)) return { protection: 'confirm' }
    throw error
  }
}

/** Does what the plan says, one unit after the other; the first that fails ends it. */
async function carryOut(
  doing: Doing,
  plan: ApplyPlan,
  wanted: readonly WantedUnit[],
  { request: { onFailure } }: ApplyJob,
  told: Told,
): Promise<{ results: Results; ready: boolean }> {
  const results: Results = []
  const before = await readUnits(doing.context, doing.source)
  const changed: string[] = []
  let failed = false
  for (const object of plan.objects) {
    const { kind, name } = object
    if (failed) {
      results.push({ kind, name, outcome: 'skipped' })
      continue
    }
    if (object.action !== 'unchanged' && object.action !== 'keep') told(`${object.action} ${name}`)
    try {
      results.push({ kind, name, outcome: await carryOutOne(doing, object, wanted) })
      if (object.action === 'configure' || object.action === 'create') changed.push(name)
    } catch (error) {
      failed = true
      const message = wordsOf(error)
      results.push({ kind, name, outcome: 'failed', message })
      const back = onFailure === 'stop' ? [] : onFailure === 'keep-old' ? [name] : [...changed, name].reverse()
      for (const unit of back) results.push(...(await goBack(doing, before, unit)))
    }
  }
  return { results, ready: !failed }
}

const wordsOf = (error: unknown): string => {
  if (isTspodError(error)) return error.message
  throw error
}

async function carryOutOne(
  doing: Doing,
  { action, name }: PlannedObject,
  wanted: readonly WantedUnit[],
): Promise<Results[number]['outcome']> {
  const { units, signal } = doing
  if (action === 'unchanged') return 'unchanged'
  if (action === 'keep') return 'kept'
  if (action === 'prune') {
    await removeUnit(doing, name)
    return 'pruned'
  }
  const unit = wanted.find(each => each.unit === name)
  if (unit === undefined) throw new Error(`no manifest for ${name}`)
  if (action !== 'start') await writeUnit(doing, unit)
  await units.enable([name])
  const { active } = await units.show(name)
  await units.act(action === 'configure' && active === 'active' ? 'reload' : 'start', name, signal)
  await noteUnit(doing, unit)
  return action === 'create' ? 'created' : action === 'configure' ? 'configured' : 'started'
}

/** The record first, as of something that does not run yet: a file without one would be somebody else's for ever. */
async function writeUnit(doing: Doing, unit: UnitRecord): Promise<void> {
  await noteUnit(doing, { ...unit, text: '' })
  await mkdir(doing.folder, { recursive: true, mode: 0o755 })
  await writeAtomic(manifestOf(unit.unit, doing.folder), unit.text, 0o600)
}

/**
 * What the unit runs. Two sources can come to the name of one unit, `a` with b-c.yaml and `a-b` with c.yaml: it is that
 * of the first. Throws NAME_IN_USE.
 */
const noteUnit = ({ context, source }: Doing, { unit, file, text }: UnitRecord): Promise<void> =>
  context.store.write(async tx => {
    const owner = await ownerOf(tx, unit)
    if (owner !== undefined && owner !== source) {
      throw new TspodError('NAME_IN_USE', `${file}: ${unit} is a unit of the source ${owner}`, {
        remedy: 'give the file in one of the two sources another name',
      })
    }
    await tx.run('INSERT OR REPLACE INTO gitops_unit (unit, source, file, text) VALUES (?, ?, ?, ?)', [
      unit,
      source,
      file,
      text,
    ])
  })

/** The source whose unit it is. */
async function ownerOf(store: Pick<EngineContext['store'], 'all'>, unit: string): Promise<string | undefined> {
  const [row] = await store.all('SELECT source FROM gitops_unit WHERE unit = ?', [unit])
  return row === undefined ? undefined : String(row.source)
}

async function removeUnit({ units, context, folder, signal }: Doing, unit: string): Promise<void> {
  await units.act('stop', unit, signal)
  await units.disable([unit])
  await rm(manifestOf(unit, folder), { force: true })
  await context.store.write(tx => tx.run('DELETE FROM gitops_unit WHERE unit = ?', [unit]))
}

/** Brings one unit back to what it was before; one that was not there goes. */
async function goBack(doing: Doing, before: readonly UnitRecord[], unit: string): Promise<Results> {
  const old = before.find(each => each.unit === unit)
  try {
    if (old === undefined) {
      if ((await ownerOf(doing.context.store, unit)) !== doing.source) return []
      await removeUnit(doing, unit)
      return [{ kind: 'Unit', name: unit, outcome: 'pruned', message: 'it was not there before' }]
    }
    await writeUnit(doing, old)
    const { active } = await doing.units.show(unit)
    await doing.units.act(active === 'active' ? 'reload' : 'start', unit, doing.signal)
    await noteUnit(doing, old)
    return [{ kind: 'Unit', name: unit, outcome: 'rolled back' }]
  } catch (error) {
    return [{ kind: 'Unit', name: unit, outcome: 'failed', message: `the old one does not start: ${wordsOf(error)}` }]
  }
}
