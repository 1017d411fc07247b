/** `tspod systemd status`, `list` and `cat`. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ListedPod } from '../../engine/index.ts'
import { isMissing, TspodError } from '../../errors.ts'
import { type KubeUnit, reasonOf, TEMPLATE, type UnitState, type Units, unitOfOperand } from '../../systemd/index.ts'
import type { FlagTable } from '../flags.ts'
import { printable } from '../output.ts'
import { age, json, size, table, timestamp } from '../table.ts'
import { defineVerb, type World } from '../verb.ts'
import { OPERAND_HELP, type Place, placeOf, USER_FLAG, unitNamed, withUnits } from './common.ts'

/** systemctl's exit codes, which are those of LSB's init scripts. */
const EXIT_NOT_ACTIVE = 3
const EXIT_NO_UNIT = 4

const FLAGS = {
  ...USER_FLAG,
  format: { kind: 'choice', choices: ['text', 'json'], help: 'lines for people or one JSON document for scripts' },
} as const satisfies FlagTable

type Seen = { unit: KubeUnit; state: UnitState; pods: ListedPod[] }

export const status = defineVerb({
  operands: 'FILE|NAME [FILE|NAME...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Shows what systemd says of the units of manifests, and which pods they run. The exit code is that of `systemctl ' +
    `status\`: 0 when all are active, 3 when one is not, 4 when systemd does not know the template. ${OPERAND_HELP}`,
  examples: [
    { does: 'One unit', line: 'tspod systemd status web' },
    { does: 'Is it up?', line: "tspod systemd status --format json web | jq -r '.[].active'" },
  ],
  flags: FLAGS,
  anyUser: true,
  async run({ flags, operands }, world) {
    const place = placeOf(flags.user, world)
    const wanted = operands.map(operand => unitNamed(operand, place, world))
    const seen = await withUnits(place, world, units => lookAt(units, wanted, world))
    const codes = seen.map(({ state }) => exitCodeOf(state))
    return {
      stdout: flags.format === 'json' ? json(seen.map(unitJson)) : seen.map(each => statusText(each, world)).join('\n'),
      exitCode: Math.max(...codes),
    }
  },
})

export const list = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Lists the manifests in /etc/tspod/kube (with --user ~/.config/tspod/kube) and every unit of a manifest that systemd ' +
    'starts at boot or has loaded.',
  examples: [
    { does: 'All of them', line: 'tspod systemd list' },
    {
      does: 'Those that failed',
      line: `tspod systemd list --format json | jq -r '.[] | select(.active=="failed").unit'`,
    },
  ],
  flags: FLAGS,
  anyUser: true,
  async run({ flags }, world) {
    const place = placeOf(flags.user, world)
    const seen = await withUnits(place, world, async units => {
      const known = await unitNames(units, place)
      const wanted = known.map(name => unitOfOperand(name, place.folder, path => path))
      return lookAt(units, wanted, world)
    })
    return { stdout: flags.format === 'json' ? json(seen.map(unitJson)) : listText(seen, world.clock.nowMs()) }
  },
})

export const cat = defineVerb({
  operands: 'FILE|NAME',
  count: { minimum: 1, maximum: 1 },
  description: `Prints the unit of a manifest with what adds to it, the options beside the manifest, and the manifest. ${OPERAND_HELP}`,
  examples: [{ does: 'Everything that decides what runs', line: 'tspod systemd cat web' }],
  flags: USER_FLAG,
  anyUser: true,
  async run({ flags, operands: [operand = ''] }, world) {
    const place = placeOf(flags.user, world)
    const unit = unitNamed(operand, place, world)
    const { fragment, dropIns, load, loadError } = await withUnits(place, world, units => units.show(unit.unit))
    if (fragment === '') {
      throw new TspodError('NO_SUCH_OBJECT', loadError || `the unit ${unit.unit} is ${load}`, {
        remedy: 'install the units of tspod first: tspod systemd install (with --user for your own)',
      })
    }
    const files = [fragment, ...dropIns, unit.options, unit.manifest].filter(path => existsSync(path))
    const parts = await Promise.all(files.map(async path => `# ${path}\n${(await readFile(path, 'utf8')).trimEnd()}\n`))
    return { stdout: parts.join('\n') }
  },
})

/** Names below the folder, units that are loaded, units that start at boot; each once, by name. */
async function unitNames(units: Units, { folder, unitFolder }: Place): Promise<string[]> {
  const [loaded, manifests, links] = await Promise.all([
    units.list(`${TEMPLATE}@*.service`),
    namesIn(folder, /^([^.-].*)\.yaml$/),
    linkedUnits(unitFolder),
  ])
  const named = manifests.map(name => unitOfOperand(`${folder}/${name}.yaml`, folder, path => path).unit)
  return [...new Set([...named, ...links, ...loaded.map(({ unit }) => unit)])].sort()
}

async function linkedUnits(folder: string): Promise<string[]> {
  const targets = await namesIn(folder, /^(.+\.(?:wants|requires|upholds))$/)
  const found = await Promise.all(targets.map(target => namesIn(join(folder, target), /^(tspod-kube@.+\.service)$/)))
  return found.flat()
}

async function namesIn(folder: string, pattern: RegExp): Promise<string[]> {
  try {
    return (await readdir(folder)).flatMap(entry => pattern.exec(entry)?.[1] ?? [])
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function lookAt(units: Units, wanted: readonly KubeUnit[], world: World): Promise<Seen[]> {
  const states = await Promise.all(wanted.map(({ unit }) => units.show(unit)))
  const runs = states.some(({ mainPid }) => mainPid !== undefined)
  const pods = runs && process.getuid?.() === 0 ? await (await world.engine()).pods() : []
  return wanted.map((unit, index) => {
    const state = states[index] as UnitState
    const service = pods.find(
      ({ kind, containers }) => kind === 'service' && containers[0]?.conmonPid === state.mainPid,
    )
    return { unit, state, pods: service === undefined ? [] : pods.filter(pod => pod.service === service.id) }
  })
}

const exitCodeOf = ({ load, active }: UnitState): number =>
  ['active', 'reloading'].includes(active) ? 0 : load === 'not-found' ? EXIT_NO_UNIT : EXIT_NOT_ACTIVE

const unitJson = ({ unit, state, pods }: Seen): object => ({
  unit: unit.unit,
  name: unit.shown,
  manifest: unit.manifest,
  options: existsSync(unit.options) ? unit.options : null,
  load: state.load,
  enabled: state.enabled,
  active: state.active,
  sub: state.sub,
  since: timestamp(state.sinceMs),
  result: state.result,
  status: state.status,
  mainPid: state.mainPid ?? null,
  memoryBytes: state.memoryBytes ?? null,
  cgroup: state.cgroup,
  needsReload: state.stale,
  pods: pods.map(({ name, reason, ready, total }) => ({ name, status: reason, ready, total })),
})

function statusText({ unit, state, pods }: Seen, { clock }: Pick<World, 'clock'>): string {
  const since = state.sinceMs === undefined ? '' : ` since ${timestamp(state.sinceMs)}`
  const ago = state.sinceMs === undefined ? '' : ` (${age(clock.nowMs() - state.sinceMs)} ago)`
  const options = existsSync(unit.options) ? ` with ${unit.options}` : ''
  const reason = state.active === 'active' ? state.status : reasonOf(state)
  const rows: [label: string, text: string | undefined][] = [
    ['Manifest', `${unit.manifest}${existsSync(unit.manifest) ? '' : ' (missing)'}${options}`],
    ['Loaded', `${state.load}${state.fragment === '' ? '' : ` (${state.fragment}; ${state.enabled || 'disabled'})`}`],
    ['Drop-ins', state.dropIns.join(', ') || undefined],
    ['Active', `${state.active} (${state.sub})${since}${ago}`],
    ['Status', reason || undefined],
    ['Main PID', state.mainPid?.toString()],
    ['Memory', state.memoryBytes === undefined ? undefined : size(state.memoryBytes)],
    ['CGroup', state.cgroup || undefined],
    [
      'Pods',
      pods.map(({ name, reason: words, ready, total }) => `${name} ${words} ${ready}/${total}`).join(', ') || undefined,
    ],
    ['Note', state.stale ? 'its files have changed: systemctl daemon-reload' : undefined],
  ]
  const shown = rows.filter(([, text]) => text !== undefined)
  return [
    `${unit.unit} - ${printable(state.description)}`,
    ...shown.map(([label, text = '']) => `${label.padStart(12)}: ${printable(text)}`),
    '',
  ].join('\n')
}

function listText(seen: readonly Seen[], nowMs: number): string {
  const rows = seen.map(({ unit, state }) => [
    printable(unit.shown),
    state.enabled === 'enabled' ? 'yes' : state.enabled === 'masked' ? 'masked' : 'no',
    state.active,
    state.sinceMs === undefined ? '' : age(nowMs - state.sinceMs),
    printable(state.active === 'active' ? state.status : reasonOf(state)),
    unit.unit,
  ])
  return table(['MANIFEST', 'AT BOOT', 'ACTIVE', 'SINCE', 'STATUS', 'UNIT'], rows)
}
