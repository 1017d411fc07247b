/**
 * Whether a pod that is there is the one that is wanted, and what it takes to make it so. Pure.
 *
 * What counts is the translated spec, in which ConfigMaps and Secrets are resolved, and the image that each container
 * was made of. What people are told are the fields of the manifest, the keys of ConfigMaps and Secrets, and the images.
 */
import type { ContainerSpec, PodManifest, PodSpec } from '../../model.ts'
import { podLimits } from '../../oci/index.ts'
import { redacted } from '../redact.ts'
import type { LogSettings, PodSettings } from '../state/index.ts'
import type { FieldChange, PlannedObject } from '../types/index.ts'
import { differences, same, shown } from './differences.ts'

export type Effect = PlannedObject['effect']

/** A pod on record: images by container name, absent for one that was never made. */
export type StandingPod = {
  spec: PodSpec
  settings: PodSettings
  /** Its `PodManifest` as JSON: most are compared, and few are read. */
  manifestText: string | undefined
  images: ReadonlyMap<string, string>
}

/** The manifest that a pod was made from; undefined when it was not made from one. */
export const manifestOf = ({ manifestText }: Pick<StandingPod, 'manifestText'>): PodManifest | undefined =>
  manifestText === undefined ? undefined : (JSON.parse(manifestText) as PodManifest)

/** What the pod is to be; `images` are those that its names mean here now, as far as they are here. */
export type WantedPod = {
  spec: PodSpec
  manifest: PodManifest | undefined
  settings: WantedSettings
  images: ReadonlyMap<string, string>
}

/** What of a pod's settings a play decides by its flags. */
export type WantedSettings = Pick<PodSettings, 'network' | 'noHosts' | 'noHostname' | 'runtime'> & {
  networks: string[]
  log: LogSettings
}

export type Difference = {
  effect: Extract<Effect, 'none' | 'live' | 'restart'>
  because: string[]
  changes: FieldChange[]
}

/** Keys of Secrets that have another value now, by the Secret's name. */
export type ChangedSecrets = ReadonlyMap<string, readonly string[]>

/** Compares; `secrets` are those whose content changes with the same manifest. */
export function comparePod(standing: StandingPod, wanted: WantedPod, secrets: ChangedSecrets): Difference {
  const images = imageChanges(standing, wanted)
  const settings = settingChanges(standing.settings, wanted.settings)
  const changed = secretChanges(wanted.manifest, secrets)
  const isOther = images.length + settings.length + changed.length > 0 || standing.settings.limits !== undefined
  // Nearly all pods of nearly all applies.
  if (!isOther && isWritten(standing, wanted)) return { effect: 'none', because: [], changes: [] }
  const before = plain(standing.spec)
  const after = plain(wanted.spec)
  const old = manifestOf(standing)
  const config = [...configChanges(old, wanted.manifest), ...changed]
  const limits = limitChanges(standing.settings, after)
  const fields = fieldChanges(before, after, old, wanted.manifest)
  const isSame = same(withoutPlace(before), withoutPlace(after))
  const isLive = same(lasting(before), lasting(after)) && canUndoLimits(standing.settings, after)
  // A key that the pod makes nothing of is no news for it.
  const named = [...images, ...settings, ...limits, ...fields, ...(isSame ? [] : config)]
  const changes = named.length > 0 || isSame ? named : translated(before, after)
  if (changes.length === 0 && isSame) return { effect: 'none', because: [], changes: [] }
  if (images.length + settings.length === 0 && isLive)
    return { effect: 'live', because: reasons(changes.length > 0 ? changes : unexplained), changes }
  const onlyConfig = images.length + settings.length + limits.length + fields.length === 0 && config.length > 0
  if (onlyConfig && after.annotations[ON_CONFIG_CHANGE] === 'none')
    return {
      effect: 'live',
      because: [...reasons(changes), 'it goes on with the old one until its next start'],
      changes,
    }
  const restarting = changes.filter(({ path }) => !isLivePath(path))
  return { effect: 'restart', because: reasons(restarting.length > 0 ? restarting : unexplained), changes }
}

/** Word for word what is on record, which a comparison would find to be the same. */
function isWritten({ spec, manifestText }: StandingPod, wanted: WantedPod): boolean {
  const textOf = (of: PodSpec): string => JSON.stringify(withoutPlace(of))
  return manifestText === JSON.stringify(wanted.manifest) && textOf(spec) === textOf(wanted.spec)
}

const unexplained: FieldChange[] = [{ path: 'what the manifest means to this version of tspod' }]

/** What a pod says about ConfigMaps and Secrets that change: `restart`, which is what nothing means, or `none`. */
const ON_CONFIG_CHANGE = 'io.tspod.on-config-change'

/** Named one by one up to this. */
const MAX_REASONS = 6

function reasons(changes: readonly FieldChange[]): string[] {
  const lines = [...new Set(changes.map(({ path }) => `${path} changed`))]
  if (lines.length <= MAX_REASONS) return lines
  return [...lines.slice(0, MAX_REASONS - 1), `${lines.length - MAX_REASONS + 1} more fields changed`]
}

/** As it is on record: a member that is undefined is not there. */
const plain = (spec: PodSpec): PodSpec => JSON.parse(JSON.stringify(spec)) as PodSpec

/** Where a manifest stands is nothing that a pod could notice. Records of earlier versions have one leader and no list. */
function withoutPlace({ origin, startAfter, ...spec }: PodSpec): object {
  const leaders = [startAfter ?? []].flat()
  return {
    ...spec,
    origin: { kind: origin.kind, name: origin.name },
    ...(leaders.length > 0 && { startAfter: leaders }),
  }
}

/** What a pod has for the length of its life: all but what is looked up in its record whenever it is needed. */
function lasting(spec: PodSpec): object {
  const { origin, startAfter, labels, annotations, restartPolicy, graceMs, deadlineMs, minReadyMs, ...rest } = spec
  const lastingOf = (isInit: boolean) => (container: ContainerSpec) => {
    const { restartPolicy: own, restartRules, probes, hooks, dependsOn, pullPolicy, resources, ...more } = container
    const { cpuLimitMilli, memoryLimitBytes, cpuRequestMilli, memoryRequestBytes, ...others } = resources
    // A limit that comes or goes is more than a number in a file.
    const limited = { cpu: cpuLimitMilli !== undefined, memory: memoryLimitBytes !== undefined }
    return { ...more, resources: others, limited, ...(isInit && { restartPolicy: own }) }
  }
  return {
    ...rest,
    // A pod without a deadline has nobody who watches it.
    hasDeadline: deadlineMs !== undefined,
    hasProbes: probing(spec),
    initContainers: spec.initContainers.map(lastingOf(true)),
    containers: spec.containers.map(lastingOf(false)),
  }
}

/** Which containers have which probes: whoever runs them is there from the start, or not at all. */
const probing = ({ initContainers, containers }: PodSpec): string[][] =>
  [...initContainers, ...containers].map(({ probes }) => Object.keys(probes ?? {}).sort())

const LIVE_PATHS = [
  /^metadata\./,
  /^spec\.(?:terminationGracePeriodSeconds|restartPolicy|activeDeadlineSeconds)$/,
  /^spec\.(?:initContainers|containers)\[[^\]]*\]\.(?:livenessProbe|readinessProbe|startupProbe|lifecycle|imagePullPolicy)/,
  /^spec\.(?:initContainers|containers)\[[^\]]*\]\.resources\.limits/,
]
const isLivePath = (path: string): boolean => LIVE_PATHS.some(pattern => pattern.test(path))

function imageChanges(standing: StandingPod, wanted: WantedPod): FieldChange[] {
  return containersOf(wanted.spec).flatMap(({ list, container }) => {
    const old = containersOf(standing.spec).find(one => one.container.name === container.name)?.container
    const [had, has] = [standing.images.get(container.name), wanted.images.get(container.name)]
    // Another name is a field of the manifest.
    if (old?.image !== container.image || !had || has === undefined || had === has) return []
    const path = `spec.${list}[${container.name}].image`
    const named = (id: string): string => `${container.image} (${id.slice(0, 12)})`
    return [{ path, before: named(had), after: named(has) }]
  })
}

const containersOf = (spec: PodSpec): { list: string; container: ContainerSpec }[] => [
  ...spec.initContainers.map(container => ({ list: 'initContainers', container })),
  ...spec.containers.map(container => ({ list: 'containers', container })),
]

/** Keys of ConfigMaps that both manifests use and that differ. One that is no longer used is a change of the manifest. */
function configChanges(before: PodManifest | undefined, after: PodManifest | undefined): FieldChange[] {
  if (before === undefined || after === undefined) return []
  return Object.keys(after.configMaps).flatMap(name => {
    const [old, next] = [before, after].map(({ configMaps }) => textsOf(configMaps[name]))
    return old === undefined || next === undefined ? [] : differences(old, next, `configmap/${name} data`)
  })
}

function textsOf(entries: PodManifest['configMaps'][string] | undefined): Record<string, string> | undefined {
  return (
    entries &&
    Object.fromEntries(
      entries.map(({ key, base64, binary }) => [key, binary ? base64 : Buffer.from(base64, 'base64').toString('utf8')]),
    )
  )
}

function secretChanges(manifest: PodManifest | undefined, secrets: ChangedSecrets): FieldChange[] {
  return (manifest?.secrets ?? []).flatMap(name =>
    (secrets.get(name) ?? []).map(key => ({ path: `secret/${name} data.${key}` })),
  )
}

function settingChanges(before: PodSettings, after: WantedSettings): FieldChange[] {
  const of = (settings: WantedSettings): object => ({
    network: settings.network === 'bridge' ? settings.networks : settings.network,
    'log-driver': settings.log,
    'no-hosts': settings.noHosts,
    'no-hostname': settings.noHostname,
    runtime: settings.runtime,
  })
  const had = of({ ...before, networks: before.attachments.map(({ network }) => network) })
  const has = of(after)
  if (JSON.stringify(had) === JSON.stringify(has)) return []
  return differences(had, has, '').map(change => ({ ...change, path: `--${change.path}` }))
}

/** Limits that somebody has changed by hand since. */
function limitChanges({ limits = {} }: PodSettings, spec: PodSpec): FieldChange[] {
  return containersOf(spec).flatMap(({ list, container }) => {
    const changed = limits[container.name]
    if (changed === undefined) return []
    const path = `spec.${list}[${container.name}].resources.limits`
    return [{ path, before: `${shown(changed)} by tspod update`, after: 'as in the manifest' }]
  })
}

/** What the manifest says nothing about has no number to go back to but by a new start. */
const canUndoLimits = ({ limits = {} }: PodSettings, spec: PodSpec): boolean =>
  containersOf(spec).every(({ container }) => {
    const own = podLimits(container.resources) ?? {}
    return Object.keys(limits[container.name] ?? {}).every(name => name in own)
  })

/** Fields of the manifest that differ. */
function fieldChanges(
  before: PodSpec,
  after: PodSpec,
  old: PodManifest | undefined,
  next: PodManifest | undefined,
): FieldChange[] {
  const metadata = (['labels', 'annotations'] as const).flatMap(name =>
    differences(before[name], after[name], `metadata.${name}`),
  )
  if (old === undefined || next === undefined) return metadata
  return [
    ...metadata,
    ...differences(old.spec, next.spec, 'spec'),
    ...differences(old.services, next.services, 'service'),
  ]
}

/** What the manifest does not explain: parts of the translated pod, in round brackets, without what is secret. */
function translated(before: PodSpec, after: PodSpec): FieldChange[] {
  const [one, other] = [hidden(before), hidden(after)]
  return differences(withoutPlace(one), withoutPlace(other), '').map(change => ({
    ...change,
    path: `(${change.path})`,
  }))
}

/** `redacted` hides what comes from a Secret; the content of files, in base64, tells nobody anything either. */
function hidden(spec: PodSpec): PodSpec {
  const volumes = spec.volumes.map(volume => ('files' in volume ? { ...volume, files: [] } : volume))
  return redacted({ ...spec, volumes })
}
