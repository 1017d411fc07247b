/** `tspod systemd install` and `uninstall`: the units, where systemd finds them. */
import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMissing, TspodError } from '../../errors.ts'
import { writeAtomic } from '../../files.ts'
import { GITOPS_TEMPLATES, TEMPLATE, TEMPLATE_UNIT } from '../../systemd/index.ts'
import { defineVerb, type World } from '../verb.ts'
import { type Place, placeOf, USER_FLAG, withUnits } from './common.ts'

/** First line of what we have written, so that nothing else is ever replaced or removed. */
const MARK = '# Written by `tspod systemd install`; changes belong in a drop-in: systemctl edit UNIT\n'

const UNITS = {
  system: [TEMPLATE_UNIT, 'tspod-restart.service', ...GITOPS_TEMPLATES],
  user: [TEMPLATE_UNIT, ...GITOPS_TEMPLATES].map(name => `user/${name}`),
}

const targetsOf = (user: boolean, { unitFolder }: Place): { template: string; path: string }[] =>
  UNITS[user ? 'user' : 'system'].map(template => ({
    template,
    path: join(unitFolder, template.replace(/^user\//, '')),
  }))

export const install = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Writes tspod-kube@.service, tspod-restart.service and tspod-gitops@ (.service, .timer and .path) to ' +
    '/etc/systemd/system, for this very tspod, and has systemd read them; with --user all but tspod-restart to ' +
    '~/.config/systemd/user. `make install` has installed the same units below its prefix already. Nothing is enabled ' +
    'or started. The files that were written are printed.',
  examples: [
    { does: 'For the host', line: 'tspod systemd install' },
    { does: 'For yourself', line: 'tspod systemd install --user' },
  ],
  flags: USER_FLAG,
  anyUser: true,
  async run({ flags }, world) {
    const place = placeOf(flags.user, world)
    const targets = targetsOf(flags.user, place)
    const foreign = await foreignOf(targets)
    if (foreign.length > 0) {
      throw new TspodError('NAME_IN_USE', `${foreign.join(' and ')} was not written by tspod`, {
        remedy: 'move it away, and run the same command again',
      })
    }
    await mkdir(place.unitFolder, { recursive: true, mode: 0o755 })
    for (const { template, path } of targets) {
      await writeAtomic(path, `${MARK}${filled(await world.template(template), world.launcher)}`, 0o644)
    }
    const warning = await tellSystemd(place, world)
    const { scope } = place
    const limits =
      scope === 'system' || scope.uid === 0
        ? ''
        : 'warning: tspod needs root, in units of users too: these units cannot run pods yet\n'
    return { stdout: targets.map(({ path }) => `${path}\n`).join(''), stderr: `${limits}${warning}` }
  },
})

export const uninstall = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Removes what `tspod systemd install` has written, and the links by which systemd starts units of it at boot. ' +
    'Refuses while one of them runs. Manifests and options stay. The files that were removed are printed.',
  examples: [{ does: 'From the host', line: 'tspod systemd uninstall' }],
  flags: USER_FLAG,
  anyUser: true,
  async run({ flags }, world) {
    const place = placeOf(flags.user, world)
    const targets = targetsOf(flags.user, place)
    const foreign = await foreignOf(targets)
    const ours: string[] = []
    for (const { path } of targets) if (!foreign.includes(path) && (await textOf(path)) !== undefined) ours.push(path)
    if (ours.length === 0) return { stderr: 'nothing was installed\n' }
    const warning = await withUnits(place, world, async units => {
      const known = await Promise.all([`${TEMPLATE}@*.service`, 'tspod-gitops@*'].map(pattern => units.list(pattern)))
      const running = known.flat().filter(({ active }) => active !== 'inactive' && active !== 'failed')
      if (running.length > 0) {
        throw new TspodError('WRONG_STATE', `still running: ${running.map(({ unit }) => unit).join(', ')}`, {
          remedy: 'stop them first: tspod systemd stop UNIT; a GitOps source goes by tspod gitops remove NAME',
        })
      }
      await units.disable(targets.map(({ path }) => path.slice(place.unitFolder.length + 1)))
      return ''
    }).catch(unreachable)
    for (const path of ours) await rm(path)
    return { stdout: ours.map(path => `${path}\n`).join(''), stderr: warning || (await tellSystemd(place, world)) }
  },
})

/** The template with the paths of this tspod, each a word of a command line in a unit. */
export function filled(text: string, launcher: string): string {
  const word = (path: string): string =>
    path.replaceAll('%', '%%').replace(/["\\\s']/g, one => `\\x${one.charCodeAt(0).toString(16)}`)
  return text.replaceAll('@TSPOD@', word(launcher)).replaceAll('@HOME@', word(dirname(dirname(launcher))))
}

/** Which of the files are there and somebody else's. */
async function foreignOf(targets: readonly { path: string }[]): Promise<string[]> {
  const foreign: string[] = []
  for (const { path } of targets) {
    const text = await textOf(path)
    if (text !== undefined && !text.startsWith(MARK)) foreign.push(path)
  }
  return foreign
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Files may be installed where systemd does not run (an image that is being built); then there is only a warning. */
export const tellSystemd = (place: Place, world: World): Promise<string> =>
  withUnits(place, world, async units => {
    await units.reload()
    return ''
  }).catch(unreachable)

function unreachable(error: unknown): string {
  if (!(error instanceof TspodError) || error.code !== 'HOST_LACKS') throw error
  return `warning: systemd was not told: ${error.message}\n`
}
