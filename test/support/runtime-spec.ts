/** Checks a config.json against the schema of the OCI runtime specification. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'

const DIRECTORY = join(import.meta.dirname, 'runtime-spec-schema')
const USED = ['config-schema.json', 'config-linux.json', 'defs.json', 'defs-linux.json']
/** Other platforms: referred to by the schema, never by a Linux config. */
const UNUSED = ['solaris', 'vm', 'windows', 'zos']

/** Returns what is wrong with `config`, one line per mistake; empty when it is valid. */
export function schemaMistakes(config: object): string[] {
  const ajv = new Ajv({ allErrors: true, strict: false, logger: false })
  for (const name of USED) {
    // The schema is of draft 4, of which it uses nothing that later drafts changed.
    const { $schema: _, ...schema } = JSON.parse(readFileSync(join(DIRECTORY, name), 'utf8'))
    ajv.addSchema(schema, name)
  }
  for (const name of UNUSED) ajv.addSchema({ [name]: { not: {} } }, `config-${name}.json`)
  const validate = ajv.getSchema('config-schema.json')
  if (validate === undefined) throw new Error('the schema has no config-schema.json')
  validate(config)
  return (validate.errors ?? []).map(error => `${error.instancePath} ${error.message}`)
}
