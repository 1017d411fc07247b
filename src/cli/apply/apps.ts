/** `tspod apps`: what was applied, and how it is. */
import type { AppObject, AppView } from '../../engine/index.ts'
import { TspodError } from '../../errors.ts'
import type { FlagTable } from '../flags.ts'
import { printable } from '../output.ts'
import { age, json, table, timestamp } from '../table.ts'
import { defineVerb } from '../verb.ts'
import { objectLabel } from './plan-text.ts'

const FLAGS = {
  output: { kind: 'choice', choices: ['table', 'json'], short: 'o', help: 'table or json (default table)' },
} as const satisfies FlagTable

export const apps = defineVerb({
  operands: '[NAME]',
  count: { minimum: 0, maximum: 1 },
  description:
    'Lists all apps: what `tspod apply` and GitOps sources have made, how healthy it is, how many of the pods are ' +
    'ready, when it was last changed, and where its manifests are from. With a name the objects of that app.',
  examples: [
    { does: 'What was applied on this host', line: 'tspod apps' },
    { does: 'The objects of one app', line: 'tspod apps shop' },
    { does: 'Apps that need a look', line: `tspod apps -o json | jq -r '.[] | select(.health != "Healthy").name'` },
  ],
  flags: FLAGS,
  async run({ flags, operands: [name] }, world) {
    const all = await (await world.engine()).apps()
    const shown = name === undefined ? all : all.filter(app => app.name === name)
    if (name !== undefined && shown.length === 0) {
      const known = all.map(app => app.name).join(', ')
      throw new TspodError('NO_SUCH_OBJECT', `no app is called "${name}"`, {
        remedy: known === '' ? 'nothing was applied yet: tspod apply -f FILE' : `there are ${known}`,
      })
    }
    if (flags.output === 'json') return { stdout: json(shown.map(withTime)) }
    const [only] = shown
    if (name !== undefined && only !== undefined) return { stdout: objectTable(only.objects) }
    return { stdout: appTable(shown, world.clock.nowMs()) }
  },
})

const withTime = ({ appliedMs, ...app }: AppView): object => ({ ...app, applied: timestamp(appliedMs) })

const sum = (objects: readonly AppObject[], of: 'ready' | 'total'): number =>
  objects.reduce((all, object) => all + (object[of] ?? 0), 0)

const appTable = (apps: readonly AppView[], nowMs: number): string =>
  table(
    ['NAME', 'HEALTH', 'READY', 'OBJECTS', 'APPLIED', 'REVISION', 'SOURCE'],
    apps.map(({ name, health, objects, appliedMs, source }) => [
      name,
      health,
      `${sum(objects, 'ready')}/${sum(objects, 'total')}`,
      String(objects.length),
      age(nowMs - appliedMs),
      printable(source.revision ?? ''),
      printable(source.path),
    ]),
  )

const objectTable = (objects: readonly AppObject[]): string =>
  table(
    ['OBJECT', 'PHASE', 'READY', 'WAVE', 'PRUNE'],
    objects.map(object => [
      objectLabel(object),
      object.phase ?? '',
      object.total === undefined ? '' : `${object.ready}/${object.total}`,
      String(object.wave),
      object.protection ?? '',
    ]),
  )
