/** Service documents, each by itself: what they select and which ports they have. What comes of it: services.ts. */
import type { Protocol } from '../../model.ts'
import { readLabels, readNamespace } from '../metadata.ts'
import type { Field } from '../yaml/index.ts'
import { labelProblem, portNameProblem, quote } from '../yaml/index.ts'

export type ServicePort = {
  field: Field
  name: string
  port: number
  protocol: Protocol
  /** A number, or the name of a container's port. */
  target: number | string
  nodePort?: number
}

export type Service = {
  field: Field
  name: string
  namespace: string
  /** Undefined: it selects nothing by itself. */
  selector?: Record<string, string>
  type: 'ClusterIP' | 'NodePort' | 'LoadBalancer'
  headless: boolean
  ports: ServicePort[]
}

const TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer'] as const
const MAX_PORT = 65535

/** Reads a Service and reports what is wrong with it. */
export function readService(document: Field): Service {
  const metadata = document.at('metadata')
  const spec = document.at('spec')
  const name = metadata.at('name').string() ?? ''
  const problem = name === '' ? undefined : labelProblem(name)
  if (problem !== undefined) metadata.at('name').issue('INVALID_VALUE', `${quote(name)} ${problem}`)
  const type = spec.at('type').string() === 'ExternalName' ? 'ClusterIP' : spec.at('type').oneOf(TYPES, 'ClusterIP')
  if (spec.at('type').string() === 'ExternalName') {
    spec
      .at('type')
      .issue('NOT_SUPPORTED', 'a Service cannot be another name of an external host here', 'use hostAliases')
  }
  const headless = spec.at('clusterIP').string() === 'None'
  if (headless && type !== 'ClusterIP')
    spec.at('clusterIP').issue('INVALID_VALUE', `may not be set to "None" for ${type} services`, 'remove it')
  else if (!headless && spec.at('clusterIP').string()) {
    spec.at('clusterIP').note('a Service has no address here: its name leads to its pods')
  }
  spec.at('sessionAffinity').oneOf(['None', 'ClientIP'], 'None')
  const selector = spec.at('selector')
  readLabels(selector)
  const ports = readPorts(spec.at('ports'), type)
  if (ports.length === 0 && !headless && spec.at('ports').items().length === 0)
    spec.at('ports').issue('REQUIRED', 'a Service needs a port', 'add one, or set clusterIP: None')
  return {
    field: document,
    name,
    namespace: readNamespace(metadata),
    ...(selector.entries().length > 0 && { selector: selector.stringMap() }),
    type,
    headless,
    ports,
  }
}

function readPorts(list: Field, type: Service['type']): ServicePort[] {
  const items = list.items()
  const names = new Map<string, Field>()
  const taken = new Set<string>()
  return items.flatMap(field => {
    const name = readPortName(field.at('name'), items.length > 1, names)
    const protocol = field.at('protocol').oneOf(['TCP', 'UDP', 'SCTP'], 'TCP')
    const port = readNumber(field.at('port'))
    const target = readTarget(field.at('targetPort'))
    const nodePort = field.at('nodePort').integer() === 0 ? undefined : readNumber(field.at('nodePort'))
    if (nodePort !== undefined && type === 'ClusterIP')
      field.at('nodePort').issue('FORBIDDEN', 'may not be used when `type` is ClusterIP', 'set type: NodePort')
    if (port === undefined) return []
    if (taken.has(`${port}/${protocol}`))
      field.at('port').issue('DUPLICATE', `another port is ${port}/${protocol}`, 'choose another number')
    taken.add(`${port}/${protocol}`)
    return {
      field,
      name,
      port,
      protocol: protocol.toLowerCase() as Protocol,
      target: target ?? port,
      ...(nodePort !== undefined && { nodePort }),
    }
  })
}

function readPortName(field: Field, required: boolean, names: Map<string, Field>): string {
  const name = field.string() ?? ''
  if (name === '') {
    if (required) field.issue('REQUIRED', 'each of several ports must have a name', 'add it')
    return ''
  }
  const problem = labelProblem(name)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(name)} ${problem}`)
  if (names.has(name)) field.issue('DUPLICATE', `another port is called ${quote(name)}`, 'choose another name')
  names.set(name, field)
  return name
}

function readTarget(field: Field): number | string | undefined {
  const number = field.integer()
  if (number !== undefined) return number === 0 ? undefined : readNumber(field)
  const name = field.string()
  if (name === undefined || name === '') return undefined
  // A number in quotes is the name of a port to Kubernetes as well, and no good one.
  const problem = portNameProblem(name)
  if (problem === undefined) return name
  field.issue('INVALID_VALUE', `${quote(name)} ${problem}`, /^\d+$/.test(name) ? 'remove the quotes' : undefined)
  return undefined
}

function readNumber(field: Field): number | undefined {
  const value = field.integer()
  if (value === undefined || (value >= 1 && value <= MAX_PORT)) return value
  field.issue('INVALID_VALUE', `must be between 1 and ${MAX_PORT}, inclusive`)
  return undefined
}
