/**
 * From a bundle to rows: ids, leases and settings are chosen and committed before anything is created, so that a
 * crash leaves names for all there is to clean up.
 */

import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { type Bundle, type ContainerSpec, dnsNamesOf, type Id, type PodSpec, servingContainers } from '../../model.ts'
import {
  annotatedRuntime,
  DEFAULT_NETWORK,
  loadNetwork,
  type NetavarkInput,
  type Attachment as NetworkAttachment,
  type NetworkDefinition,
  netavarkInput,
  nextAddress,
  type Runtime,
  refuseAppArmor,
  refuseLimits,
  servedAddresses,
} from '../../oci/index.ts'
import { type Paths, podRunDirectory } from '../../paths.ts'
import { randomHex } from '../../random.ts'
import type { EngineContext } from '../context.ts'
import type { Transaction } from '../state/index.ts'
import {
  type ContainerRecord,
  insertContainer,
  insertManifest,
  insertPod,
  leasedAddresses,
  type PodRecord,
  type SandboxFacts,
} from '../state/index.ts'
import type { ContainerKind, PlayOptions } from '../types/index.ts'
import { logSettings, type NetworkPlan, networkPlan } from './settings.ts'
import { idGiver, refuseHostNamespaces, usernsRuntime } from './userns.ts'

/** A pod as it will be written: complete but for its addresses, which only the transaction can choose. */
export type Draft = {
  spec: PodSpec
  plan: NetworkPlan
  definitions: Map<string, NetworkDefinition>
  runtime: Runtime
  /** The runtime's name or path as the flag or the pod's annotation has it. */
  wanted?: string
}

export type Intent = { pod: PodRecord; containers: ContainerRecord[]; sandbox: SandboxFacts }

/** An id for a pod or container to be. */
export const newId = (): Id => randomHex(32) as Id

/**
 * Everything about the bundle's pods that can be known before the store is asked.
 * @throws USAGE for flags that do not fit, NETWORK_UNKNOWN, RUNTIME_MISSING, CONFIG_INVALID,
 * SECURITY_REFUSED for a runtime that a manifest may not choose, HOST_LACKS for limits and the journal.
 */
export async function draftPods(context: EngineContext, bundle: Bundle, options: PlayOptions): Promise<Draft[]> {
  const definitions = new Map<string, NetworkDefinition>()
  const drafts: Draft[] = []
  if (logSettings(options).driver === 'journald' && !context.journal) {
    throw new TspodError('HOST_LACKS', 'there is no systemd journal on this host to write to', {
      remedy: 'leave out --log-driver journald: lines then go to a file that `tspod logs` reads',
    })
  }
  refuseForHost(bundle, context)
  for (const [index, spec] of bundle.pods.entries()) {
    const plan = networkPlan(spec, index, options)
    for (const { name } of plan.mode === 'bridge' ? plan.networks : []) {
      if (!definitions.has(name)) definitions.set(name, await loadNetwork(context.paths, name))
    }
    refuseHostSysctls(spec, plan)
    refuseHostNamespaces(spec, plan)
    const wanted = options.runtime ?? (await annotatedRuntime(context.paths, spec))
    drafts.push({ spec, plan, definitions, ...(await usernsRuntime(spec, wanted, context.runtime)) })
  }
  return drafts
}

/** What the manifests ask for and this host does not have. Throws HOST_LACKS. */
function refuseForHost({ pods }: Bundle, { host, warn }: EngineContext): void {
  const containers = pods.flatMap(pod => [...pod.initContainers, ...pod.containers])
  refuseAppArmor(containers, host)
  for (const { name, security } of containers)
    if (security.selinux !== undefined && !host.selinux)
      warn(`container ${name} sets seLinuxOptions, which have no effect: this host has no SELinux`)
  refuseLimits(
    [
      ...containers.map(({ name, resources }) => ({ name: `container ${name}`, resources })),
      ...pods.flatMap(({ name, resources }) => (resources === undefined ? [] : [{ name: `pod ${name}`, resources }])),
    ],
    host,
  )
}

/** The manifest was checked against `hostNetwork`; a flag may have changed that. */
function refuseHostSysctls(spec: PodSpec, plan: NetworkPlan): void {
  const name = Object.keys(spec.sysctls).find(sysctl => sysctl.startsWith('net.'))
  if (plan.mode !== 'host' || name === undefined) return
  throw new TspodError('SECURITY_REFUSED', `pod ${spec.name}: sysctl ${name} would change the host's own network`, {
    remedy: 'leave out --network host, or the sysctl',
  })
}

/** What new pods belong to: the service of their play, and their Jobs by name. */
export type Belonging = { service?: Id; jobs: ReadonlyMap<string, Id> }

/** Writes pod, containers, leases and sandbox of every draft; runs inside the play's one transaction. */
export async function writeIntents(
  tx: Transaction,
  context: EngineContext,
  drafts: readonly Draft[],
  manifests: Bundle['manifests'],
  options: PlayOptions,
  { service, jobs }: Belonging,
): Promise<Intent[]> {
  const taken = new Map<string, Set<string>>()
  const intents: Intent[] = []
  const giveIds = idGiver(tx, context)
  for (const draft of drafts) {
    // By the definition's own name: the default network of another installation is called otherwise.
    for (const { name } of draft.definitions.values()) {
      if (taken.has(name)) continue
      taken.set(name, new Set([...(await leasedAddresses(tx, name)), ...servedAddresses(context.paths, name)]))
    }
    const intent = intentOf(context, draft, options, taken)
    const userns = await giveIds(draft.spec.userns)
    if (userns !== undefined) intent.pod.settings.userns = userns
    if (service !== undefined) intent.pod.service = service
    const job = intent.pod.spec.job && jobs.get(intent.pod.spec.job.name)
    if (job !== undefined) intent.pod.job = job
    await writeIntent(tx, context, intent)
    const manifest = manifests[intent.pod.name]
    if (manifest !== undefined) await insertManifest(tx, intent.pod.id, manifest)
    intents.push(intent)
  }
  return intents
}

/** Writes one pod with its containers and its sandbox, which from now on may stand half done. */
export async function writeIntent(tx: Transaction, context: EngineContext, intent: Intent): Promise<void> {
  await insertPod(tx, intent.pod)
  for (const container of intent.containers) await insertContainer(tx, container)
  await tx.run("INSERT INTO sandbox (pod, boot, facts, state) VALUES (?, ?, ?, 'changing')", [
    intent.pod.id,
    context.boot,
    JSON.stringify(intent.sandbox),
  ])
}

function intentOf(context: EngineContext, draft: Draft, options: PlayOptions, taken: Map<string, Set<string>>): Intent {
  const { spec, plan } = draft
  const id = newId()
  const createdMs = context.clock.nowMs()
  const attached = plan.mode === 'bridge' ? plan.networks.map(wish => attach(draft, wish, taken)) : []
  return {
    pod: {
      id,
      name: spec.name,
      kind: 'pod',
      spec,
      settings: {
        network: plan.mode,
        attachments: attached.map(({ definition, address }) => ({ network: definition.name, address, aliases: [] })),
        log: logSettings(options),
        noHosts: options.noHosts,
        noHostname: options.noHostname,
        ...(draft.wanted !== undefined && { runtime: draft.wanted }),
        ...(options.unit !== undefined && { unit: options.unit }),
      },
      goal: options.start ? 'running' : 'created',
      complete: false,
      counted: false,
      createdMs,
      ...(options.start && { activeMs: createdMs }),
    },
    containers: containersOf(spec, id, createdMs, options),
    sandbox: sandboxFacts(context, { id, name: spec.name, spec }, draft.runtime, attached),
  }
}

function attach(
  draft: Draft,
  wish: { name: string; ip?: string; mac?: string; aliases: string[] },
  taken: Map<string, Set<string>>,
): NetworkAttachment {
  const definition = draft.definitions.get(wish.name)
  const addresses = definition && taken.get(definition.name)
  if (definition === undefined || addresses === undefined) throw new Error(`network ${wish.name} was not loaded`)
  const address = nextAddress(definition, addresses, wish.ip)
  addresses.add(address)
  const aliases = [...wish.aliases, ...dnsNamesOf(draft.spec)]
  return { definition, address, aliases, ...(wish.mac !== undefined && { mac: wish.mac }) }
}

/** The sandbox of a pod whose record of it was lost, by what its other records say. */
export async function sandboxOf(context: EngineContext, pod: PodRecord): Promise<SandboxFacts> {
  const attached = await Promise.all(
    pod.settings.attachments.map(async ({ network, address }) => ({
      definition: await definitionOf(context.paths, network),
      address,
      aliases: dnsNamesOf(pod.spec),
    })),
  )
  return sandboxFacts(context, pod, await context.runtime(pod.settings.runtime), attached)
}

/** The network of a lease: by its own name, which for the default one is not always what people call it. */
export async function definitionOf(paths: Paths, name: string): Promise<NetworkDefinition> {
  const usual = await loadNetwork(paths, DEFAULT_NETWORK)
  return usual.name === name ? usual : loadNetwork(paths, name)
}

function sandboxFacts(
  { paths }: EngineContext,
  { id, name, spec }: Pick<PodRecord, 'id' | 'name' | 'spec'>,
  runtime: Runtime,
  attached: NetworkAttachment[],
): SandboxFacts {
  const network = attached.length === 0 ? undefined : netavarkInput({ id, name }, attached, portsOf(spec))
  return {
    runtime,
    namespaces: join(podRunDirectory(paths, id), 'ns'),
    ...(network !== undefined && { network }),
    addresses: attached.map(({ address }) => address),
    dnsServers: dnsServersOf(network),
  }
}

const portsOf = (spec: PodSpec): ContainerSpec['ports'] => servingContainers(spec).flatMap(container => container.ports)

/** aardvark-dns answers on the gateway of each network that has DNS. */
function dnsServersOf(network: NetavarkInput | undefined): string[] {
  return Object.values(network?.network_info ?? {})
    .filter(definition => definition.dns_enabled)
    .flatMap(definition => definition.subnets.flatMap(subnet => (subnet.gateway === undefined ? [] : [subnet.gateway])))
}

function containersOf(spec: PodSpec, pod: Id, createdMs: number, options: PlayOptions): ContainerRecord[] {
  const goal = options.start ? 'running' : 'created'
  const record = (container: Pick<ContainerSpec, 'name'>, kind: ContainerKind, ordinal: number): ContainerRecord => ({
    ...newContainer(pod, createdMs, goal),
    // As in Podman the flag is for regular containers only.
    name:
      kind === 'infra' || (options.noPodPrefix && kind === 'regular')
        ? container.name
        : `${spec.name}-${container.name}`,
    shortName: container.name,
    kind,
    ordinal,
  })
  return [
    ...(spec.shareProcessNamespace
      ? [record({ name: `${pod.slice(0, 12)}-infra` as ContainerSpec['name'] }, 'infra', 0)]
      : []),
    ...spec.initContainers.map((container, ordinal) =>
      record(container, container.restartPolicy === 'Always' ? 'sidecar' : 'init', ordinal),
    ),
    ...spec.containers.map((container, ordinal) => record(container, 'regular', ordinal)),
  ]
}

/** The record of a container that is about to be made, without its name and kind. */
export function newContainer(
  pod: Id,
  createdMs: number,
  goal: ContainerRecord['goal'],
): Omit<ContainerRecord, 'name' | 'shortName' | 'kind' | 'ordinal'> {
  return {
    id: newId(),
    pod,
    goal,
    imageId: '',
    state: 'configured',
    restarts: 0,
    crashes: 0,
    killed: false,
    createdMs,
    reason: '',
    message: '',
    command: [],
    stopSignal: 'SIGTERM',
    started: false,
    ready: false,
    hooked: false,
  }
}
