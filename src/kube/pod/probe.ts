/** Probes and lifecycle hooks of a container, as engine/probe runs them. */
import type { ContainerHooks, ContainerProbes, Handler, PortSpec, ProbeSpec } from '../../model.ts'
import { signalNamed } from '../../signals.ts'
import type { Field } from '../yaml/index.ts'
import { didYouMean, either, portNameProblem, quote } from '../yaml/index.ts'
import { MAX_PORT } from './ports.ts'

/** Times are 32-bit numbers of seconds in the API. */
const MAX_SECONDS = 2_147_483_647
const HEADER = /^[-A-Za-z0-9]+$/

/** What a probe may refer to: the ports of its own container. */
type Ports = readonly PortSpec[]

/** The probes of a container with Kubernetes' defaults, times in milliseconds; undefined when there are none. */
export function readProbes(container: Field, ports: Ports): ContainerProbes | undefined {
  const probes: ContainerProbes = {}
  for (const kind of ['liveness', 'readiness', 'startup'] as const) {
    const probe = readProbe(container.at(`${kind}Probe`), kind, ports)
    if (probe !== undefined) probes[kind] = probe
  }
  return Object.keys(probes).length > 0 ? probes : undefined
}

function readProbe(field: Field, kind: keyof ContainerProbes, ports: Ports): ProbeSpec | undefined {
  if (!field.present) return undefined
  const graceField = field.at('terminationGracePeriodSeconds')
  const graceSeconds = graceField.integer()
  if (graceSeconds !== undefined && kind === 'readiness')
    graceField.issueAt(graceField.key, 'FORBIDDEN', 'must not be set for readinessProbes', 'remove it')
  else if (graceSeconds !== undefined && graceSeconds < 1)
    graceField.issue('INVALID_VALUE', 'must be greater than 0', 'write a number of seconds, or remove it')
  const successThreshold = number(field.at('successThreshold'), 1)
  if (kind !== 'readiness' && successThreshold > 1)
    field.at('successThreshold').issue('INVALID_VALUE', `must be 1 for a ${kind}Probe`, 'remove it')
  const probe = {
    initialDelayMs: number(field.at('initialDelaySeconds'), 0) * 1000,
    periodMs: number(field.at('periodSeconds'), 10) * 1000,
    timeoutMs: number(field.at('timeoutSeconds'), 1) * 1000,
    successThreshold,
    failureThreshold: number(field.at('failureThreshold'), 3),
    ...(graceSeconds !== undefined && { graceMs: graceSeconds * 1000 }),
  }
  const handler = readHandler(field, ['exec', 'httpGet', 'tcpSocket', 'grpc'], ports)
  return handler === undefined ? undefined : { handler, ...probe }
}

/** A count or a time: zero means the default, as in the API server, which fills it in before it validates. */
function number(field: Field, initial: number): number {
  const value = field.integer() ?? 0
  if (value < 0) field.issue('INVALID_VALUE', 'must be greater than or equal to 0', 'write a positive number')
  else if (value > MAX_SECONDS) field.issue('INVALID_VALUE', `must not be greater than ${MAX_SECONDS}`)
  return value === 0 ? initial : value
}

/**
 * postStart and preStop of a container; undefined when there are none. A preStop that sleeps must fit into the grace
 * period of the pod.
 */
export function readHooks(container: Field, ports: Ports, graceMs: number): ContainerHooks | undefined {
  const lifecycle = container.at('lifecycle')
  const hooks: ContainerHooks = {}
  for (const name of ['postStart', 'preStop'] as const) {
    const field = lifecycle.at(name)
    if (!field.present) continue
    const handler = readHandler(field, ['exec', 'httpGet', 'sleep', 'tcpSocket'], ports, graceMs)
    if (handler !== undefined) hooks[name] = handler
  }
  return Object.keys(hooks).length > 0 ? hooks : undefined
}

/** `lifecycle.stopSignal` as Node names it; Podman's spellings (`term`, `15`) are understood too. */
export function readStopSignal(container: Field): string | undefined {
  const field = container.at('lifecycle').at('stopSignal')
  const text = field.string() ?? ''
  if (text === '') return undefined
  const signal = signalNamed(text)
  if (signal === undefined)
    field.issue('UNSUPPORTED_VALUE', `invalid signal: ${quote(text)}`, 'use one such as SIGTERM')
  return signal
}

/** On a plain init container, which is gone when the pod serves. */
export function refuseOnInit(container: Field): void {
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle']) {
    const field = container.at(name)
    const message = 'may not be set for init containers without restartPolicy=Always'
    if (field.present) field.issueAt(field.key, 'FORBIDDEN', message, 'remove it, or add restartPolicy: Always')
  }
}

type HandlerName = 'exec' | 'httpGet' | 'tcpSocket' | 'grpc' | 'sleep'

function readHandler(field: Field, names: HandlerName[], ports: Ports, graceMs = 0): Handler | undefined {
  const given = names.filter(name => field.at(name).present)
  const [name, second] = given
  if (name === undefined) {
    field.issue('REQUIRED', 'must specify a handler type', `add ${either(names)}`)
    return undefined
  }
  if (second !== undefined) {
    const other = field.at(second)
    other.issueAt(other.key, 'FORBIDDEN', 'may not specify more than 1 handler type', 'keep one of them')
  }
  return HANDLERS[name](field.at(name), ports, graceMs)
}

const HANDLERS: Record<HandlerName, (field: Field, ports: Ports, graceMs: number) => Handler> = {
  exec: field => {
    const command = field.at('command').strings() ?? []
    if (command.length === 0)
      field.at('command').issue('REQUIRED', 'a value is required', 'add the program and its arguments')
    return { kind: 'exec', command }
  },
  httpGet: (field, ports) => ({
    kind: 'http',
    scheme: field.at('scheme').oneOf(['HTTP', 'HTTPS'], 'HTTP') === 'HTTPS' ? 'https' : 'http',
    ...host(field),
    port: port(field.at('port'), ports),
    path: field.at('path').string() || '/',
    headers: headers(field.at('httpHeaders')),
  }),
  tcpSocket: (field, ports) => ({ kind: 'tcp', ...host(field), port: port(field.at('port'), ports) }),
  grpc: field => ({
    kind: 'grpc',
    port: portNumber(field.at('port'), field.at('port').integer()),
    service: field.at('service').string() ?? '',
  }),
  sleep: (field, _, graceMs) => {
    const seconds = field.at('seconds').integer() ?? 0
    if (seconds < 0 || seconds * 1000 > graceMs) {
      field
        .at('seconds')
        .issue(
          'INVALID_VALUE',
          `must be between 0 and the grace period of ${graceMs / 1000} seconds`,
          'sleep less, or raise terminationGracePeriodSeconds',
        )
    }
    return { kind: 'sleep', ms: seconds * 1000 }
  },
}

function host(field: Field): { host?: string } {
  const text = field.at('host').string()
  return text === undefined || text === '' ? {} : { host: text }
}

/** A number, or the name of a port of the same container. */
function port(field: Field, ports: Ports): number {
  const name = field.string()
  if (name === undefined) return portNumber(field, field.integer())
  const problem = portNameProblem(name)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(name)} ${problem}`)
  const found = ports.find(candidate => candidate.name === name)
  if (problem === undefined && found === undefined) {
    const known = ports.flatMap(candidate => candidate.name ?? [])
    field.issue(
      'NOT_FOUND',
      `the container has no port called ${quote(name)}`,
      didYouMean(name, known) ?? 'name one in ports, or write its number',
    )
  }
  return found?.containerPort ?? 0
}

function portNumber(field: Field, value: number | undefined): number {
  if (value !== undefined && (value < 1 || value > MAX_PORT))
    field.issue('INVALID_VALUE', `must be between 1 and ${MAX_PORT}, inclusive`)
  return value ?? 0
}

function headers(list: Field): { name: string; value: string }[] {
  return list.items().map(item => {
    const name = item.at('name').string() ?? ''
    const value = item.at('value').string() ?? ''
    if (name !== '' && !HEADER.test(name))
      item.at('name').issue('INVALID_VALUE', `${quote(name)} is not the name of an HTTP header`, 'write it as X-Name')
    if (/[\r\n\0]/.test(value)) item.at('value').issue('INVALID_VALUE', 'must be one line of text')
    return { name, value }
  })
}
