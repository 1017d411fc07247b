/** `tspod doctor`: what this host has, what it lacks, and the remedy for each lack. */
import type { HostCheck } from '../oci/index.ts'
import type { Linger } from '../systemd/index.ts'
import type { FlagTable } from './flags.ts'
import { readHost } from './host-table.ts'
import { type Colour, paint, printable } from './output.ts'
import { json } from './table.ts'
import { defineVerb, type Outcome, type Output, type World } from './verb.ts'

const FLAGS = {
  format: { kind: 'choice', choices: ['text', 'json'], help: 'lines for people or one JSON array for scripts' },
} as const satisfies FlagTable

/** Exit code when something is missing, so that a script may tell it from an error of tspod's own (125). */
export const EXIT_LACKING = 1

export const doctor = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Checks the programs, kernel features and limits that pods and gitops need. `ok`: fine; `warn`: pods run, but ' +
    'something is limited; `missing`: some or all pods cannot run. The exit code is 1 when something is missing.',
  examples: [
    { does: 'Check this host', line: 'tspod doctor' },
    { does: 'What is not fine, for a script', line: `tspod doctor --format json | jq '.[] | select(.status != "ok")'` },
  ],
  flags: FLAGS,
  anyUser: true,
  async run({ flags }, world) {
    const checks = [...(await readHost(world)).checks, await checkLinger(world)]
    if (flags.format === 'json') return { stdout: json(checks), exitCode: exitCode(checks) }
    return doctorOutcome(checks, world.out)
  },
})

/** Units of users end with the last login, where nobody has said otherwise. */
async function checkLinger(world: World): Promise<HostCheck> {
  const [{ userInfo }, { join }, { lingerOf, systemdPresent }] = await Promise.all([
    import('node:os'),
    import('node:path'),
    import('../systemd/index.ts'),
  ])
  if (!systemdPresent()) return lingerCheck(undefined, '')
  const { username, homedir } = userInfo()
  return lingerCheck(lingerOf(username, join(world.env.HOME ?? homedir, '.config/systemd/user')), username)
}

/** Whether a user's enabled units run at boot; `linger` is undefined without systemd. Pure. */
export function lingerCheck(linger: Linger | undefined, user: string): HostCheck {
  const check = { name: 'linger', needed: "wanted where a user's units are to run without a login" }
  if (linger === undefined) return { ...check, status: 'ok', found: 'no systemd, no units' }
  if (linger.lingers) return { ...check, status: 'ok', found: `units of ${user} run without a login` }
  if (linger.units.length === 0) return { ...check, status: 'ok', found: `${user} has enabled no units` }
  return {
    ...check,
    status: 'warn',
    found: `only while ${user} is logged in: ${linger.units.join(', ')}`,
    remedy: `loginctl enable-linger ${user}`,
  }
}

const exitCode = (checks: readonly HostCheck[]): number =>
  checks.some(check => check.status === 'missing') ? EXIT_LACKING : 0

const COLOUR_OF: Record<HostCheck['status'], Colour> = { ok: 'green', warn: 'yellow', missing: 'red' }
const STATUS_WIDTH = 'missing'.length + 1

/** One line per check, with what is needed and the remedy below those that are not fine, and a last line that sums up. */
export function doctorOutcome(checks: readonly HostCheck[], out: Pick<Output, 'colour'>): Outcome {
  const width = Math.max(0, ...checks.map(check => check.name.length)) + 2
  const indent = ' '.repeat(STATUS_WIDTH + width)
  const lines = checks.flatMap(check => {
    const status = paint(check.status.padEnd(STATUS_WIDTH), COLOUR_OF[check.status], out.colour)
    const line = `${status}${check.name.padEnd(width)}${printable(check.found)}`.trimEnd()
    if (check.status === 'ok') return [line]
    return [
      line,
      `${indent}needs ${check.needed}`,
      ...(check.remedy === undefined ? [] : [`${indent}→ ${check.remedy}`]),
    ]
  })
  const count = (status: HostCheck['status']): number => checks.filter(check => check.status === status).length
  const sum = `${count('ok')} ok, ${count('warn')} limited, ${count('missing')} missing`
  return { stdout: [...lines, '', sum, ''].join('\n'), exitCode: exitCode(checks) }
}
