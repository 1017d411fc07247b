/** What Kubernetes fills in where a manifest says nothing. */
import type { Json } from '../../model.ts'
import { entryOf, fieldsOf, itemOf, type TypeCode } from './schema.ts'

/** TYPE → `field=value`, with values in JSON but for words. Sources: the API reference and pkg/apis/core/v1/defaults.go. */
const TABLE: Record<string, string> = {
  DeploymentSpec: 'replicas=1',
  ReplicaSetSpec: 'replicas=1',
  ReplicationControllerSpec: 'replicas=1',
  StatefulSetSpec: 'replicas=1 podManagementPolicy=OrderedReady',
  JobSpec: 'completionMode=NonIndexed backoffLimit=6 suspend=false',
  CronJobSpec: 'concurrencyPolicy=Allow suspend=false successfulJobsHistoryLimit=3 failedJobsHistoryLimit=1',
  ServiceSpec: 'type=ClusterIP sessionAffinity=None',
  ServicePort: 'protocol=TCP',
  Secret: 'type=Opaque',
  PodSpec: 'restartPolicy=Always dnsPolicy=ClusterFirst terminationGracePeriodSeconds=30 enableServiceLinks=true',
  Container: 'terminationMessagePath=/dev/termination-log terminationMessagePolicy=File',
  ContainerPort: 'protocol=TCP',
  ObjectFieldSelector: 'apiVersion=v1',
  ConfigMapVolumeSource: 'defaultMode=420',
  SecretVolumeSource: 'defaultMode=420',
  DownwardAPIVolumeSource: 'defaultMode=420',
  ProjectedVolumeSource: 'defaultMode=420',
  HostPathVolumeSource: 'type=""',
  Probe: 'timeoutSeconds=1 periodSeconds=10 successThreshold=1 failureThreshold=3',
  HTTPGetAction: 'path=/ scheme=HTTP',
  GRPCAction: 'service=""',
}

/** `value`, which has the type `type`, with every default that it leaves out; a copy. */
export function withDefaults(value: Json, type: TypeCode): Json {
  const item = itemOf(type)
  if (Array.isArray(value)) return item === undefined ? value : value.map(one => withDefaults(one, item))
  if (value === null || typeof value !== 'object') return value
  const entry = entryOf(type)
  const fields = fieldsOf(type)
  const full: Record<string, Json> = {}
  for (const [name, member] of Object.entries(value)) {
    const known = entry ?? fields?.get(name)?.type
    full[name] = known === undefined ? member : withDefaults(member, known)
  }
  for (const [name, initial] of defaultsOf(type)) full[name] ??= initial
  return full
}

/** The defaults of the fields of one type, by name. */
export function defaultsOf(type: TypeCode): ReadonlyMap<string, Json> {
  const known = unpacked.get(type)
  if (known !== undefined) return known
  const packed = Object.hasOwn(TABLE, type) ? (TABLE[type] as string) : ''
  const pairs = packed.split(' ').flatMap(part => {
    const [name = '', text = ''] = part.split('=')
    return name === '' ? [] : [[name, wordOrJson(text)] as const]
  })
  const defaults = new Map(pairs)
  unpacked.set(type, defaults)
  return defaults
}

const unpacked = new Map<string, ReadonlyMap<string, Json>>()

const wordOrJson = (text: string): Json => (/^(true|false|\d+|".*")$/.test(text) ? (JSON.parse(text) as Json) : text)
