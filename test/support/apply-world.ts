/** A bundle, and the world after it was applied, for tests of planning. */
import type { SeenPod, WantedOf, World } from '../../src/engine/apply/world.ts'
import type { ApplyRequest, ListedPod } from '../../src/engine/index.ts'
import type { AppObjectRecord, PodRecord } from '../../src/engine/state/index.ts'
import { translate } from '../../src/kube/index.ts'
import type { Bundle, Id, PodSpec } from '../../src/model.ts'

export const bundleOf = (text: string, file = 'shop.yaml'): Bundle =>
  translate([{ file, text }], { baseDirectory: '/' }).bundle

export const requestOf = (bundle: Bundle, more: Partial<ApplyRequest> = {}): ApplyRequest => ({
  app: 'shop',
  source: { path: '/shop.yaml' },
  bundle,
  pull: { quiet: true },
  prune: false,
  onFailure: 'keep-old',
  ...more,
})

/** Every image is `id of NAME`. */
export const imagesOf = (spec: PodSpec): Map<string, string> =>
  new Map([...spec.initContainers, ...spec.containers].map(({ name, image }) => [name as string, `id of ${image}`]))

export const wantedOf: WantedOf = spec => ({
  images: imagesOf(spec),
  settings: {
    network: 'bridge',
    networks: ['tspod'],
    log: { driver: 'k8s-file', maxBytes: 1 },
    noHosts: false,
    noHostname: false,
  },
})

/** A pod that runs as its spec says. */
export function seen(spec: PodSpec, bundle: Bundle): SeenPod {
  const id = spec.name.padEnd(64, '0') as Id
  const stored = JSON.parse(JSON.stringify(spec)) as PodSpec
  const { settings } = wantedOf(spec)
  const { networks, ...kept } = settings
  const own = { ...kept, attachments: networks.map(network => ({ network, address: '10.0.0.2', aliases: [] })) }
  const containers = [...spec.initContainers, ...spec.containers].map(({ name }, ordinal) => ({
    id: `${name}${spec.name}`.padEnd(64, '0') as Id,
    pod: id,
    name: `${spec.name}-${name}`,
    shortName: name,
    kind: 'regular' as const,
    goal: 'running' as const,
    state: 'running' as const,
    restarts: 0,
    ordinal,
    startedMs: 3000,
  }))
  return {
    record: {
      id,
      name: spec.name,
      kind: 'pod',
      spec: stored,
      settings: own,
      goal: 'running',
      complete: true,
      createdMs: 1000,
    } as unknown as PodRecord,
    containers: containers as unknown as SeenPod['containers'],
    view: { phase: 'Running', containers } as unknown as ListedPod,
    spec: stored,
    settings: own,
    manifestText: JSON.stringify(bundle.manifests[spec.name]),
    images: imagesOf(spec),
  }
}

/** What there is when the bundle has been applied. */
export function worldAfter(bundle: Bundle, app = 'shop'): World {
  const owners = (bundle.objects ?? []).map(
    ({ kind, name, wave = 0, prune, content }): AppObjectRecord => ({
      app,
      kind,
      name,
      hash: `hash of ${name}`,
      pods: bundle.pods.filter(({ origin }) => origin.kind === kind && origin.name === name).length,
      wave,
      ...(prune !== undefined && { protection: prune }),
      ...(content !== undefined && { content }),
    }),
  )
  return {
    owners: new Map(owners.map(owner => [`${owner.kind}/${owner.name}`, owner])),
    pods: new Map(bundle.pods.map(spec => [spec.name as string, seen(spec, bundle)])),
    jobs: new Map(
      (bundle.jobs ?? []).map(spec => [
        spec.name,
        { name: spec.name, spec: JSON.parse(JSON.stringify(spec)) } as never,
      ]),
    ),
    secrets: new Map(bundle.secrets.map(({ name, ...secret }) => [name, secret])),
    volumes: new Map(bundle.claims.map(({ name, labels, annotations }) => [name, { labels, annotations }])),
    hashOf: ({ name }) => `hash of ${name}`,
  }
}

export const emptyWorld = (): World => ({
  owners: new Map(),
  pods: new Map(),
  jobs: new Map(),
  secrets: new Map(),
  volumes: new Map(),
  hashOf: ({ name }) => `hash of ${name}`,
})
