/** `tspod secret ls`: Secrets without their values, as `kubectl get secrets` shows them, as JSON, or by a template. */
import type { FlagTable } from '../flags.ts'
import { FORMAT_FLAG } from '../list-flags.ts'
import { printable, printableLines } from '../output.ts'
import { age, table } from '../table.ts'
import { formatList, humanDuration, type Struct, toJson, wantsJson } from '../template/index.ts'
import { defineVerb } from '../verb.ts'
import { secretRecord } from './fields.ts'

const FLAGS = {
  ...FORMAT_FLAG,
  noheading: { kind: 'switch', initial: false, short: 'n', help: 'a table without its first line' },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'print ids only' },
} as const satisfies FlagTable

/** What `table …` puts above a field (podman secret ls). */
const TITLES: Readonly<Record<string, string>> = {
  CreatedAt: 'CREATED',
  Driver: 'DRIVER',
  ID: 'ID',
  Name: 'NAME',
  UpdatedAt: 'UPDATED',
}

export const secretLs = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Lists the Secrets that manifests have brought here, without their values; DATA is how many keys one has. They ' +
    'stay when their pods go, for later plays, and go with `tspod secret rm` or `tspod kube down`.',
  examples: [
    { does: 'All of them', line: 'tspod secret ls' },
    { does: 'For scripts', line: `tspod secret ls --format json | jq -r '.[].name'` },
  ],
  flags: FLAGS,
  async run({ flags }, world) {
    const nowMs = world.clock.nowMs()
    const secrets = await (await world.engine()).secrets()
    const { format = 'table' } = flags
    const list = (): string => {
      if (flags.quiet) return secrets.map(({ id }) => `${id}\n`).join('')
      if (wantsJson(format)) return toJson(secrets.map(secretRecord))
      if (format !== 'table') {
        const rows = secrets.map((secret): Struct => {
          const ago = `${humanDuration(nowMs - secret.createdMs)} ago`
          return { ...secretRecord(secret), Name: secret.name, Driver: 'file', CreatedAt: ago, UpdatedAt: ago }
        })
        return formatList(format, rows, {
          typeName: 'secrets.secretListReport',
          titles: TITLES,
          heading: !flags.noheading,
        })
      }
      const rows = secrets.map(({ name, type, keys, app, createdMs }) => [
        name,
        printable(type),
        String(keys.length),
        printable(app ?? ''),
        age(nowMs - createdMs),
      ])
      const text = table(['NAME', 'TYPE', 'DATA', 'APP', 'AGE'], rows)
      return flags.noheading ? text.slice(text.indexOf('\n') + 1) : text
    }
    const text = list()
    return { stdout: world.out.isTerminal ? printableLines(text) : text }
  },
})
