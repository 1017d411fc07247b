/** One container of a pod. */
import type { ContainerName, ContainerSpec, PortSpec } from '../../model.ts'
import type { Field } from '../yaml/index.ts'
import { labelProblem, quote, textProblem } from '../yaml/index.ts'
import { type EnvContext, readEnv } from './env.ts'
import { readImage } from './image.ts'
import { readMounts, type Volumes } from './mounts.ts'
import { readPorts } from './ports.ts'
import { readHooks, readProbes, readStopSignal, refuseOnInit } from './probe.ts'
import { readResources } from './resources.ts'
import { readRestart } from './restart.ts'
import { type PodTraits, readContainerSecurity } from './security.ts'

const DEFAULT_TERMINATION_LOG = '/dev/termination-log'

/** What a container needs to know of its pod. */
export type ContainerContext = EnvContext &
  PodTraits & {
    podSecurity: Field
    graceMs: number
    hostNetwork: boolean
    volumes: Volumes
  }

/** The ports with the places they were written at, for conflicts between containers. */
export type ReadContainer = { spec: ContainerSpec; ports: ReadPort[] }

/** A port and the place of its number: `key` is the member that has it, hostPort where nothing else is said. */
export type ReadPort = { port: PortSpec; field: Field; key?: 'nodePort' }

/** A container; ports of a plain init container are never published, because it is gone when the pod serves. */
export function readContainer(field: Field, context: ContainerContext, isInit: boolean): ReadContainer {
  const security = readContainerSecurity(field.at('securityContext'), context.podSecurity, context)
  const { image, pullPolicy } = readImage(field.at('image'), field.at('imagePullPolicy'))
  const portFields = field.at('ports')
  const ports = readPorts(portFields, context.hostNetwork)
  const restart = readRestart(field)
  const serves = restart.restartPolicy === 'Always' || !isInit
  const places = portFields.items()
  const published = serves ? ports.map((port, index) => ({ port, field: places[index] ?? portFields })) : []
  if (!serves) for (const port of ports) delete port.hostPort
  const command = words(field.at('command'))
  const args = words(field.at('args'))
  const workingDir = absolute(field.at('workingDir'))
  if (!serves) refuseOnInit(field)
  const probes = readProbes(field, ports)
  const hooks = readHooks(field, ports, context.graceMs)
  const stopSignal = readStopSignal(field)
  const spec: ContainerSpec = {
    name: (field.at('name').string() ?? '') as ContainerName,
    ...restart,
    image,
    pullPolicy,
    ...(command === undefined ? {} : { command }),
    ...(args === undefined ? {} : { args }),
    ...(workingDir === undefined ? {} : { workingDir }),
    env: readEnv(field, context),
    ports,
    resources: readResources(field.at('resources')),
    security,
    mounts: readMounts(field.at('volumeMounts'), context.volumes, security.privileged),
    tty: field.at('tty').boolean() ?? false,
    stdin: field.at('stdin').boolean() ?? false,
    stdinOnce: field.at('stdinOnce').boolean() ?? false,
    terminationMessagePath: absolute(field.at('terminationMessagePath')) ?? DEFAULT_TERMINATION_LOG,
    terminationMessagePolicy: field.at('terminationMessagePolicy').oneOf(['File', 'FallbackToLogsOnError'], 'File'),
    ...(probes !== undefined && { probes }),
    ...(hooks !== undefined && { hooks }),
    ...(stopSignal !== undefined && { stopSignal }),
  }
  return { spec, ports: published }
}

/** Checks the name of a container against those before it, and remembers it. */
export function checkContainerName(field: Field, taken: Set<string>): void {
  const nameField = field.at('name')
  const name = nameField.string() ?? ''
  if (name === '') return
  const problem = labelProblem(name)
  if (problem !== undefined) nameField.issue('INVALID_VALUE', `${quote(name)} ${problem}`)
  if (taken.has(name)) nameField.issue('DUPLICATE', `another container is called ${quote(name)}`, 'choose another name')
  taken.add(name)
}

/** An empty list is no list: the image's own words stay. */
function words(field: Field): string[] | undefined {
  for (const item of field.items()) {
    if (item.string()?.includes('\0')) item.issue('INVALID_VALUE', 'must not contain a NUL character')
  }
  const list = field.strings()
  return list === undefined || list.length === 0 ? undefined : list
}

function absolute(field: Field): string | undefined {
  const text = field.string()
  if (text === undefined || text === '') return undefined
  const problem = text.startsWith('/') ? textProblem(text) : 'must be an absolute path'
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(text)} ${problem}`)
  return text
}
