/** Reads everything that an apply is planned from: the store once, the list of images once, and no process. */

import type { Bundle, JobSpec, PodSpec } from '../../model.ts'
import { annotatedRuntime, DEFAULT_NETWORK, findImageIds, loadNetwork } from '../../oci/index.ts'
import type { EngineContext } from '../context.ts'
import { logSettings, networkPlan } from '../play/index.ts'
import { readAppObjects, readJobs } from '../state/index.ts'
import type { ApplyRequest } from '../types/index.ts'
import { loadAll } from '../view/index.ts'
import type { WantedSettings } from './compare.ts'
import { lazyHasher } from './hash.ts'
import { jobContent } from './plan-data.ts'
import { playOptions } from './play-options.ts'
import { keyOf, type SeenPod, type StoredSecret, type StoredVolume, type WantedOf, type World } from './world.ts'

/** Everything there is that a bundle may be about. */
export async function gatherWorld(context: EngineContext): Promise<World> {
  const { store } = context
  const [loaded, owners, jobs, secrets, volumes, manifests] = await Promise.all([
    loadAll(context),
    readAppObjects(store),
    readJobs(store),
    store.all('SELECT name, type, immutable, data FROM secret'),
    store.all('SELECT name, labels, annotations FROM volume'),
    store.all('SELECT pod, text FROM manifest'),
  ])
  const texts = new Map(manifests.map(row => [String(row.pod), String(row.text)]))
  const pods = loaded.flatMap(({ pod: record, containers, view }): SeenPod[] => {
    if (record.kind !== 'pod') return []
    return [
      {
        record,
        containers,
        view,
        spec: record.spec,
        settings: record.settings,
        manifestText: texts.get(record.id),
        images: new Map(containers.map(({ shortName, imageId }) => [shortName, imageId])),
      },
    ]
  })
  const hasher = lazyHasher(context)
  return {
    owners: new Map(owners.map(owner => [keyOf(owner), owner])),
    pods: new Map(pods.map(pod => [pod.record.name, pod])),
    jobs: new Map([...jobs.values()].map(job => [job.name, job])),
    secrets: new Map(
      secrets.map((row): [string, StoredSecret] => [
        String(row.name),
        {
          type: String(row.type),
          immutable: row.immutable === 1,
          data: JSON.parse(String(row.data)) as Record<string, string>,
        },
      ]),
    ),
    volumes: new Map(
      volumes.map((row): [string, StoredVolume] => [
        String(row.name),
        {
          labels: JSON.parse(String(row.labels)) as Record<string, string>,
          annotations: JSON.parse(String(row.annotations)) as Record<string, string>,
        },
      ]),
    ),
    hashOf: (job: JobSpec) => hasher(jobContent(job)),
  }
}

/** The names of images of a pod's containers. */
export const imagesOf = ({ pods }: Pick<Bundle, 'pods'>): Set<string> =>
  new Set(pods.flatMap(pod => [...pod.initContainers, ...pod.containers].map(({ image }) => image)))

/** What the pods of the bundle are to be besides their specs: what flags say, and the images that are here now. */
export async function gatherWanted(context: EngineContext, request: ApplyRequest): Promise<WantedOf> {
  const { bundle } = request
  const options = playOptions(request)
  const [ids, network] = await Promise.all([
    context.storage().then(store => findImageIds(store, imagesOf(bundle))),
    loadNetwork(context.paths, DEFAULT_NETWORK),
  ])
  const log = logSettings(options)
  const settings = new Map<PodSpec, WantedSettings>()
  for (const [index, spec] of bundle.pods.entries()) {
    const plan = networkPlan(spec, index, options)
    const wishes = plan.mode === 'bridge' ? plan.networks.map(({ name }) => name) : []
    const runtime = options.runtime ?? (await annotatedRuntime(context.paths, spec))
    settings.set(spec, {
      network: plan.mode,
      networks: wishes.map(name => (name === DEFAULT_NETWORK ? network.name : name)),
      log,
      noHosts: options.noHosts,
      noHostname: options.noHostname,
      ...(runtime !== undefined && { runtime }),
    })
  }
  return spec => {
    const own = settings.get(spec)
    if (own === undefined) throw new Error(`pod ${spec.name} is not of this bundle`)
    const images = [...spec.initContainers, ...spec.containers].flatMap(({ name, image }) => {
      const id = ids.get(image)
      return id === undefined ? [] : [[name as string, id] as const]
    })
    return { settings: own, images: new Map(images) }
  }
}
