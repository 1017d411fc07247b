/** What is there, as `kube generate` writes it: pods with their manifests, and named volumes. */
import { TspodError } from '../../errors.ts'
import type { EngineContext } from '../context.ts'
import { readManifest } from '../state/index.ts'
import type { Generated } from '../types/index.ts'
import { lookUp } from './query.ts'

/**
 * The pod or volume of this name. Nothing of a Secret is in it but its name.
 * @throws NO_SUCH_OBJECT in Podman's words; WRONG_STATE for a container, which is a part of its pod, and for a pod
 * that was made without a manifest.
 */
export async function generated(context: EngineContext, nameOrId: string): Promise<Generated> {
  const found = await lookUp(context, nameOrId, undefined)
  if (found?.container !== undefined) {
    const { name, pod } = found.container
    throw new TspodError(
      'WRONG_STATE',
      `container ${name} is associated with pod ${pod}: use generate on the pod itself`,
      {
        remedy: `tspod kube generate ${pod}`,
      },
    )
  }
  if (found !== undefined) {
    const { pod } = found.loaded
    const manifest = await readManifest(context.store, pod.id)
    if (manifest === undefined) {
      throw new TspodError('WRONG_STATE', `pod ${pod.name} was not made from a manifest`, {
        remedy: 'it has no containers that a manifest could describe',
      })
    }
    const { limits = {}, network } = pod.settings
    return { kind: 'pod', pod: { spec: pod.spec, manifest, limits, network } }
  }
  const [row] = await context.store.all('SELECT name, labels, annotations FROM volume WHERE name = ?', [nameOrId])
  if (row === undefined) {
    throw new TspodError('NO_SUCH_OBJECT', `name or ID "${nameOrId}" not found`, {
      remedy: 'see what there is: tspod pod ps',
    })
  }
  return {
    kind: 'volume',
    name: String(row.name),
    labels: JSON.parse(String(row.labels)) as Record<string, string>,
    annotations: JSON.parse(String(row.annotations)) as Record<string, string>,
  }
}
