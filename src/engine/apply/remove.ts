/** Taking objects of an app away: what stands on record is enough, whatever has become of the manifests. */
import { TspodError } from '../../errors.ts'
import type { EngineContext } from '../context.ts'
import { down } from '../play/index.ts'
import { type AppObjectRecord, deleteAppObject, deleteEmptyApp, readAppObjects, readPods } from '../state/index.ts'
import type { DownReport, ObjectName } from '../types/index.ts'
import { keyOf } from './world.ts'

type Failure = { object: ObjectName; message: string }

/**
 * Removes objects of one app, those of the last wave first; what is gone already is fine. One that could not be freed
 * stays the app's.
 */
export async function removeObjects(
  context: EngineContext,
  app: string,
  objects: readonly (ObjectName & { wave: number })[],
  { volumes }: { volumes: boolean },
  signal: AbortSignal,
): Promise<{ report: DownReport; failures: Failure[] }> {
  const report: DownReport = { stopped: [], removed: [], secrets: [], volumes: [], failures: [] }
  const failures: Failure[] = []
  const records = new Map((await readAppObjects(context.store)).map(record => [keyOf(record), record]))
  const waves = [...Map.groupBy(objects, ({ wave }) => wave)].sort(([a], [b]) => b - a)
  for (const [, members] of waves) {
    const one = await removeWave(context, members, { volumes, records }, signal)
    for (const key of ['stopped', 'removed', 'secrets', 'volumes'] as const) report[key].push(...one[key])
    report.failures.push(...one.failures)
    // Whose failure it is cannot be told for a service container or a claim: then nobody of the wave is forgotten.
    for (const object of one.failures.length > 0 ? members : [])
      failures.push({
        object,
        message: one.failures.map(({ object: what, message }) => `${what}: ${message}`).join('; '),
      })
  }
  const left = new Set(failures.map(({ object }) => keyOf(object)))
  await context.store.write(async tx => {
    for (const object of objects) if (!left.has(keyOf(object))) await deleteAppObject(tx, app, object.kind, object.name)
    await deleteEmptyApp(tx, app)
  })
  return { report, failures }
}

async function removeWave(
  context: EngineContext,
  objects: readonly ObjectName[],
  { volumes, records }: { volumes: boolean; records: ReadonlyMap<string, AppObjectRecord> },
  signal: AbortSignal,
): Promise<DownReport> {
  const named = (kind: string): string[] => objects.filter(object => object.kind === kind).map(({ name }) => name)
  const keys = new Set(objects.map(keyOf))
  const pods = (await readPods(context.store)).filter(
    ({ kind, spec }) => kind === 'pod' && keys.has(keyOf(spec.origin)),
  )
  const used = pods.flatMap(({ spec }) => spec.volumes.flatMap(volume => (volume.kind === 'claim' ? volume.claim : [])))
  const claims = objects.flatMap(object => claimsOf(records.get(keyOf(object))))
  const request = {
    pods: pods.map(({ name }) => name as string),
    workloads: named('Job').map(name => ({ kind: 'Job', name })),
    secrets: named('Secret'),
    claims: named('PersistentVolumeClaim'),
    podClaims: [...new Set([...used, ...claims])],
    claimsOf: [],
  }
  return down(context, request, { force: volumes }, signal)
}

function claimsOf(record: AppObjectRecord | undefined): string[] {
  const claims = record?.content?.claims
  return record?.kind !== 'ConfigMap' && Array.isArray(claims) ? claims.map(String) : []
}

/** Everything an app has. Throws NO_SUCH_OBJECT. */
export async function objectsOfApp(context: EngineContext, app: string): Promise<AppObjectRecord[]> {
  const [row] = await context.store.all('SELECT name FROM app WHERE name = ?', [app])
  if (row === undefined) {
    throw new TspodError('NO_SUCH_OBJECT', `no app is called "${app}"`, {
      remedy: 'see what there is: tspod apps; what kube play made goes with tspod kube down FILE',
    })
  }
  return (await readAppObjects(context.store)).filter(object => object.app === app)
}
