/** `tspod systemd start`, `stop`, `restart`, `reload`, `enable` and `disable`. */
import { isTspodError, TspodError } from '../../errors.ts'
import type { KubeUnit, UnitAction, UnitLink, Units } from '../../systemd/index.ts'
import { forEachName } from '../each.ts'
import type { FlagTable } from '../flags.ts'
import { printable } from '../output.ts'
import { defineVerb, type Outcome, type Verb, type World } from '../verb.ts'
import {
  needManifest,
  needRootForPods,
  OPERAND_HELP,
  type Place,
  placeOf,
  USER_FLAG,
  unitNamed,
  withUnits,
} from './common.ts'
import { takeDownPlayed } from './run.ts'

const OPERANDS = { operands: 'FILE|NAME [FILE|NAME...]', count: { minimum: 1, maximum: Number.POSITIVE_INFINITY } }
const JOURNAL_LINES = 10
const JOURNAL_TIMEOUT_MS = 10_000

type Case = {
  action: UnitAction
  description: string
  examples: Verb['examples']
  /** It needs the manifest, and pods come of it. */
  plays: boolean
}

const verbFor = ({ action, description, examples, plays }: Case): Verb<typeof USER_FLAG> =>
  defineVerb({
    ...OPERANDS,
    description: `${description} The unit's name is printed. ${OPERAND_HELP}`,
    examples,
    flags: USER_FLAG,
    anyUser: true,
    async run({ flags, operands }, world) {
      const place = placeOf(flags.user, world)
      if (plays) needRootForPods(place)
      return withUnits(place, world, units =>
        forEachName(operands, async operand => {
          const unit = unitNamed(operand, place, world)
          if (plays) needManifest(unit, place)
          await actOn(units, action, unit, place, world)
          return `${unit.unit}\n`
        }),
      )
    },
  })

export const start = verbFor({
  action: 'start',
  plays: true,
  description:
    'Has systemd start the units of manifests, and waits until the pods are up. When that fails, the reason and the ' +
    'last lines of the journal are shown.',
  examples: [
    { does: 'A file, as a service until the next boot', line: 'tspod systemd start ./app.yaml' },
    { does: '/etc/tspod/kube/web.yaml', line: 'tspod systemd start web' },
  ],
})

export const stop = verbFor({
  action: 'stop',
  plays: false,
  description:
    'Has systemd stop the units of manifests, and waits until their pods are gone, each container stopped by its own ' +
    'signal and grace. What does not run is no error.',
  examples: [{ does: 'Stop what a file runs', line: 'tspod systemd stop ./app.yaml' }],
})

export const restart = verbFor({
  action: 'restart',
  plays: true,
  description: 'Has systemd stop and start the units of manifests, and waits for it.',
  examples: [{ does: 'Stop it and start it again', line: 'tspod systemd restart web' }],
})

export const reload = verbFor({
  action: 'reload',
  plays: true,
  description:
    'Has the units of manifests take a changed manifest or changed options. A manifest with mistakes changes nothing. ' +
    'Pods that are no longer in it are removed; all others are replaced, and the unit stays active meanwhile.',
  examples: [{ does: 'After an edit', line: 'tspod systemd reload web' }],
})

const ENABLE_FLAGS = {
  ...USER_FLAG,
  now: { kind: 'switch', initial: false, help: 'start it as well (disable: stop it)' },
} as const satisfies FlagTable

export const enable = defineVerb({
  ...OPERANDS,
  description: `Has systemd start the units of manifests at every boot. The unit's name is printed. ${OPERAND_HELP}`,
  examples: [
    { does: 'At every boot, and now', line: 'tspod systemd enable --now /srv/app.yaml' },
    { does: '/etc/tspod/kube/web.yaml', line: 'tspod systemd enable web' },
  ],
  flags: ENABLE_FLAGS,
  anyUser: true,
  run: ({ flags, operands }, world) => setEnabled(true, operands, flags, world),
})

export const disable = defineVerb({
  ...OPERANDS,
  description: `Takes back what \`tspod systemd enable\` did. The unit's name is printed. ${OPERAND_HELP}`,
  examples: [{ does: 'No longer at boot, and stop it', line: 'tspod systemd disable --now web' }],
  flags: ENABLE_FLAGS,
  anyUser: true,
  run: ({ flags, operands }, world) => setEnabled(false, operands, flags, world),
})

async function setEnabled(
  on: boolean,
  operands: readonly string[],
  { user, now }: { user: boolean; now: boolean },
  world: World,
): Promise<Outcome> {
  const place = placeOf(user, world)
  if (on) needRootForPods(place)
  return withUnits(place, world, units =>
    forEachName(operands, async operand => {
      const unit = unitNamed(operand, place, world)
      if (on) needManifest(unit, place)
      const links = await (on ? units.enable([unit.unit]) : units.disable([unit.unit])).catch(withAdvice)
      world.err.write(links.map(linkLine).join(''))
      if (now) await actOn(units, on ? 'start' : 'stop', unit, place, world)
      return `${unit.unit}\n`
    }),
  )
}

/** As systemctl says it. */
const linkLine = ({ kind, path, target }: UnitLink): string =>
  kind === 'symlink' ? `Created symlink ${path} → ${target}\n` : kind === 'unlink' ? `Removed ${path}\n` : ''

/** Does it; when it fails, what the unit's last run has told comes before the reason. */
async function actOn(units: Units, action: UnitAction, kube: KubeUnit, place: Place, world: World): Promise<void> {
  const { unit } = kube
  try {
    if (action === 'stop') await endMasked(units, kube, world)
    await units.act(action, unit, world.signal).catch(withAdvice)
  } catch (error) {
    if (!isTspodError(error, 'COMMAND_FAILED') || error.details !== undefined) throw error
    const lines = await lastLines(units, unit, place, world).catch(() => '')
    if (lines === '') throw error
    throw new TspodError('COMMAND_FAILED', error.message, { remedy: error.remedy, details: lines, cause: error })
  }
}

/** To systemd a masked unit has no commands any more: it would end all processes at once, and their hooks begin others. */
async function endMasked(units: Units, kube: KubeUnit, world: World): Promise<void> {
  const { load, active } = await units.show(kube.unit)
  if (load !== 'masked' || active === 'inactive' || process.getuid?.() !== 0) return
  const { stderr = '' } = await takeDownPlayed(kube, world)
  world.err.write(stderr)
}

/** A template that systemd does not know is the commonest reason, and the remedy is ours. */
function withAdvice(error: unknown): never {
  if (!isTspodError(error, 'COMMAND_FAILED') || !/not found|not loaded|no such file/i.test(error.message)) throw error
  throw new TspodError('COMMAND_FAILED', error.message, {
    remedy: 'install the units of tspod first: tspod systemd install (with --user for your own)',
    cause: error,
    details: '',
  })
}

/** The last lines of the unit's last run; the journal has no other reader than its own. */
async function lastLines(units: Units, unit: string, { scope }: Place, { run }: World): Promise<string> {
  const { invocation } = await units.show(unit)
  if (!/[1-9a-f]/.test(invocation)) return ''
  const field = scope === 'system' ? 'INVOCATION_ID' : 'USER_INVOCATION_ID'
  const { stdout } = await run({
    argv: [
      'journalctl',
      '--no-pager',
      '--output=cat',
      `--lines=${JOURNAL_LINES}`,
      `_SYSTEMD_INVOCATION_ID=${invocation}`,
      '+',
      `${field}=${invocation}`,
    ],
    timeoutMs: JOURNAL_TIMEOUT_MS,
  })
  const lines = stdout.trimEnd().split('\n')
  return lines.map(line => `  | ${printable(line)}`).join('\n')
}
