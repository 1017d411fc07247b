/** Named volumes as people see them: what there is, who uses it, made and removed by hand. */
import { TspodError } from '../../errors.ts'
import type { EngineContext } from '../context.ts'
import { readOwners, readPods } from '../state/index.ts'
import type { VolumeView } from '../types/index.ts'
import { claimData, makeClaim } from './directories.ts'
import { insertVolume, ownerIn, removeVolume } from './records.ts'

/** All named volumes by their names, or the one that is named. Spawns no process. */
export async function listVolumes({ store, paths }: EngineContext, name?: string): Promise<VolumeView[]> {
  const [rows, pods, apps] = await Promise.all([
    name === undefined
      ? store.all('SELECT * FROM volume ORDER BY name')
      : store.all('SELECT * FROM volume WHERE name = ?', [name]),
    readPods(store),
    readOwners(store, 'PersistentVolumeClaim'),
  ])
  const users = Map.groupBy(
    pods.flatMap(({ name: pod, spec }) =>
      spec.volumes.flatMap(volume => (volume.kind === 'claim' ? { pod, claim: volume.claim } : [])),
    ),
    ({ claim }) => claim,
  )
  return rows.map((row): VolumeView => {
    const name = String(row.name)
    const app = apps.get(name)
    return {
      name,
      labels: JSON.parse(String(row.labels)) as Record<string, string>,
      annotations: JSON.parse(String(row.annotations)) as Record<string, string>,
      createdMs: Number(row.created_ms),
      directory: claimData(paths, name),
      pods: [...new Set(users.get(name)?.map(({ pod }) => pod))],
      ...(app !== undefined && { app }),
    }
  })
}

/** The volume of this name. Throws NO_SUCH_OBJECT in Podman's words. */
export async function findVolume(context: EngineContext, name: string): Promise<VolumeView> {
  const [volume] = await listVolumes(context, name)
  if (volume !== undefined) return volume
  throw noVolume(name)
}

const noVolume = (name: string): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `no volume with name "${name}" found: no such volume`, {
    remedy: 'see what there is: tspod volume ls',
  })

/** Makes an empty volume, as the first pod with a claim of this name would. Throws NAME_IN_USE when there is one. */
export async function createVolume(
  context: EngineContext,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  const claim = { name, labels: { ...labels }, annotations: {} }
  if (!(await context.store.write(tx => insertVolume(tx, context, claim)))) {
    throw new TspodError('NAME_IN_USE', `volume with name ${name} already exists: volume already exists`, {
      remedy: 'use it as it is, or remove it: tspod volume rm',
    })
  }
  await makeClaim(context.paths, name, ownerIn(claim.annotations))
}

/** Removes a volume and what is in it. Throws NO_SUCH_OBJECT, WRONG_STATE while a pod has it. */
export async function removeNamed(context: EngineContext, name: string): Promise<void> {
  if (!(await removeVolume(context, name))) throw noVolume(name)
}
