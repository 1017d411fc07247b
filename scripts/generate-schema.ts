/**
 * Writes src/kube/schema/schema.generated.ts: fields and types of the Kubernetes objects that a manifest may hold,
 * read from the models of @kubernetes/client-node. Run by hand after that package changes:
 *
 *   node scripts/generate-schema.ts
 *
 * The models are loaded here and never at run time: importing them takes a second.
 */
import { readFileSync, writeFileSync } from 'node:fs'

type Attribute = { baseName: string; type: string; format: string }
type Model = { attributeTypeMap?: Attribute[] }

const MODELS = new URL('../node_modules/@kubernetes/client-node/dist/gen/models/', import.meta.url)
const TARGET = new URL('../src/kube/schema/schema.generated.ts', import.meta.url)

/** The objects whose fields are known; every other kind is known by name only. */
const ROOTS = [
  'V1Pod',
  'V1Deployment',
  'V1ReplicaSet',
  'V1ReplicationController',
  'V1StatefulSet',
  'V1DaemonSet',
  'V1Job',
  'V1CronJob',
  'V1ConfigMap',
  'V1Secret',
  'V1PersistentVolumeClaim',
  'V1Service',
]

/** The models say `string` where the API has a quantity, which may be written as a number as well. */
const QUANTITIES = new Set([
  'ResourceRequirements.limits',
  'ResourceRequirements.requests',
  'VolumeResourceRequirements.limits',
  'VolumeResourceRequirements.requests',
  'PodSpec.overhead',
  'EmptyDirVolumeSource.sizeLimit',
  'ResourceFieldSelector.divisor',
])

/** Fields of newer versions of the API than the client's, each written as the table has it. */
const NEWER: Record<string, string> = { EmptyDirVolumeSource: 'mode:i' }

/** Nobody writes these by hand: any value passes. */
const OPAQUE = new Set(['status', 'managedFields'])

/** The text of src/kube/schema/schema.generated.ts. */
export async function schemaText(): Promise<string> {
  const models = (await import(new URL('all.js', MODELS).href)) as Record<string, Model>
  const lines: string[] = []
  const seen = new Set<string>()
  const queue = [...ROOTS]
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (seen.has(name)) continue
    seen.add(name)
    const attributes = models[name]?.attributeTypeMap
    if (attributes === undefined) throw new Error(`no model ${name}`)
    const required = requiredFields(name)
    const fields = attributes.map(attribute => {
      const opaque = OPAQUE.has(attribute.baseName)
      if (!opaque) queue.push(...(attribute.type.match(/\bV\d\w+/g) ?? []))
      const mark = required.has(attribute.baseName) ? '!' : ''
      return `${attribute.baseName}${mark}:${opaque ? 'any' : typeCode(short(name), attribute)}`
    })
    const newer = NEWER[short(name)]
    lines.push(`  ${short(name)}: '${[...fields, ...(newer === undefined ? [] : [newer])].join(' ')}',`)
  }
  return `${HEADER}export const TYPES: Record<string, string> = {
${lines.sort().join('\n')}
}

/** Every kind of the Kubernetes API, so that "not yet supported" and "no such kind" can be told apart. */
export const KINDS = '${kinds(models).join(' ')}'
`
}

const HEADER = `// Written by scripts/generate-schema.ts from @kubernetes/client-node: do not edit.
/**
 * Type → its fields, \`name:type\`, \`name!:type\` when the API requires it. Types: s string, b boolean, i integer,
 * n number, q quantity, x integer or string, y base64, t time, any; [T] a list, {T} a map, else the name of a type.
 */
`

const short = (model: string): string => model.replace(/^V1/, '')

function typeCode(owner: string, attribute: Attribute): string {
  const list = /^Array<(.+)>$/.exec(attribute.type)
  if (list?.[1] !== undefined) return `[${typeCode(owner, { ...attribute, type: list[1] })}]`
  const map = /^\{ \[key: string\]: (.+); \}$/.exec(attribute.type)
  if (map?.[1] !== undefined) return `{${typeCode(owner, { ...attribute, type: map[1] })}}`
  if (QUANTITIES.has(`${owner}.${attribute.baseName}`)) return 'q'
  if (attribute.type === 'string') return attribute.format === 'byte' ? 'y' : 's'
  if (attribute.type === 'number') return attribute.format.startsWith('int') ? 'i' : 'n'
  const plain: Record<string, string> = { boolean: 'b', Date: 't', IntOrString: 'x', any: 'any', object: 'any' }
  return plain[attribute.type] ?? short(attribute.type)
}

/** The attribute maps do not say what is required; the declarations do, by the missing question mark. */
function requiredFields(model: string): Set<string> {
  const declarations = readFileSync(new URL(`${model}.d.ts`, MODELS), 'utf8')
  return new Set([...declarations.matchAll(/^ {4}'([^']+)': /gm)].map(match => match[1] ?? ''))
}

function kinds(models: Record<string, Model>): string[] {
  const names = Object.entries(models)
    .filter(([, model]) => {
      const fields = new Set(model?.attributeTypeMap?.map(attribute => attribute.baseName))
      return fields.has('apiVersion') && fields.has('kind') && fields.has('metadata')
    })
    .map(([name]) => name.replace(/^(?:Core|Events|Discovery)?V\d+(?:(?:alpha|beta)\d+)?/, ''))
  return [...new Set(names)].filter(name => !/List$|V1/.test(name)).sort()
}

if (import.meta.main) writeFileSync(TARGET, await schemaText())
