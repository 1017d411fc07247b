/** The timer and the path unit of a source: written, enabled and started over D-Bus, and taken away again. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { SourceView, SourceWish } from '../../engine/index.ts'
import { isMissing, isTspodError, TspodError } from '../../errors.ts'
import { writeAtomic } from '../../files.ts'
import { gitopsDirectory, SYSTEM_PATHS } from '../../paths.ts'
import { watchedPaths } from '../../source/index.ts'
import { gitopsUnits, pathDropIn, systemdPresent, timerDropIn } from '../../systemd/index.ts'
import { placeOf, withUnits } from '../systemd/index.ts'
import type { World } from '../verb.ts'

/** More directories than these are seen by the timer alone. */
const MOST_DIRECTORIES = 200

type Place = ReturnType<typeof placeOf>

/** Has systemd reconcile a source; answers what to tell where it cannot. */
export async function watchSource(wish: SourceWish, world: World): Promise<string> {
  const byHand = `run \`tspod gitops reconcile ${wish.name}\`, from cron for example`
  if (!systemdPresent()) return `note: there is no systemd here that could reconcile it: ${byHand}\n`
  if (world.paths.root !== SYSTEM_PATHS.root || world.paths.runRoot !== SYSTEM_PATHS.runRoot)
    return `note: the units of tspod know only the usual --root: ${byHand}\n`
  const place = placeOf(false, world)
  const { service, timer, path } = gitopsUnits(wish.name)
  await withUnits(place, world, async units => {
    const { load } = await units.show(service)
    if (load !== 'loaded') {
      throw new TspodError('NO_SUCH_OBJECT', `the source is there, but systemd does not know ${service}`, {
        remedy: `install the units first (tspod systemd install), then: tspod gitops remove ${wish.name}, and add it again`,
      })
    }
    const trigger = triggerOf(wish.name, world)
    await mkdir(dirname(trigger), { recursive: true, mode: 0o700 })
    await writeAtomic(trigger, '', 0o600)
    await writeDropIn(place, timer, timerDropIn(wish.intervalMs, wish.from.kind === 'git'))
    await writeDropIn(place, path, pathDropIn(await pathsOf(wish)))
    // Has systemd read the drop-ins as well.
    await units.enable([timer, path])
    await units.act('start', path, world.signal)
    await units.act('start', timer, world.signal)
  })
  return ''
}

/**
 * Watches other paths once the source has them: a branch that was switched, a directory that is new. Answers what to
 * tell where systemd cannot be asked; the next reconcile tries again.
 */
export async function rewatch(source: SourceView, world: World): Promise<string> {
  const place = placeOf(false, world)
  const { path } = gitopsUnits(source.name)
  const file = dropInOf(place, path)
  const before = await readFile(file, 'utf8').catch(error => {
    if (isMissing(error)) return undefined
    throw error
  })
  // Nobody has asked for it, or it is somebody else's job.
  if (before === undefined) return ''
  const now = pathDropIn(await pathsOf(source))
  if (now === before) return ''
  try {
    await withUnits(place, world, async units => {
      await writeDropIn(place, path, now)
      await units.reload()
      await units.act('restart', path, world.signal)
    })
    return ''
  } catch (error) {
    if (!isTspodError(error, 'HOST_LACKS')) throw error
    return `changes are seen at the interval only, because systemd was not told: ${error.message}`
  }
}

/** Takes the units of a source away; answers what could not be done. */
export async function unwatchSource(name: string, world: World): Promise<string> {
  const place = placeOf(false, world)
  const { timer, path, resume } = gitopsUnits(name)
  if (![timer, path].some(unit => existsSync(dropInOf(place, unit)))) return ''
  try {
    await withUnits(place, world, async units => {
      await units.act('stop', `${resume}.timer`, world.signal)
      for (const unit of [timer, path]) {
        await units.act('stop', unit, world.signal)
        await removeDropIn(place, unit)
      }
      await units.disable([timer, path])
    })
    return ''
  } catch (error) {
    if (!isTspodError(error, 'HOST_LACKS')) throw error
    for (const unit of [timer, path]) await removeDropIn(place, unit)
    return `warning: systemd was not told: ${error.message}\n`
  }
}

/**
 * Has systemd reconcile a source when its suspension ends, however long its interval is; without an end nothing waits.
 * Answers what to tell where systemd cannot be asked: the suspension holds all the same.
 */
export async function wakeSource(name: string, untilMs: number | undefined, world: World): Promise<string> {
  const place = placeOf(false, world)
  const { service, timer, resume } = gitopsUnits(name)
  if (!systemdPresent() || !existsSync(dropInOf(place, timer))) return ''
  try {
    await withUnits(place, world, units =>
      untilMs === undefined
        ? units.act('stop', `${resume}.timer`, world.signal)
        : units.startAt({
            name: resume,
            unit: service,
            atMs: untilMs,
            description: `End of the suspension of ${name}`,
          }),
    )
    return ''
  } catch (error) {
    if (!isTspodError(error, 'HOST_LACKS')) throw error
    // What still waits for an end that is none any more makes one reconcile too many.
    if (untilMs === undefined) return ''
    return (
      `warning: systemd was not told when the suspension ends: ${error.message}\n` +
      `  its end will only be noticed at the next interval, or by hand: tspod gitops reconcile ${name}\n`
    )
  }
}

/** When systemd reconciles sources the next time, by their names; of none where it cannot be asked. */
export async function nextRuns(sources: readonly SourceView[], world: World): Promise<Map<string, number>> {
  const place = placeOf(false, world)
  const watched = sources.filter(({ name }) => existsSync(dropInOf(place, gitopsUnits(name).timer)))
  if (watched.length === 0 || !systemdPresent()) return new Map()
  const asked = withUnits(place, world, async units => {
    const times = watched.map(async ({ name }) => [name, await units.nextElapse(gitopsUnits(name).timer)] as const)
    return new Map((await Promise.all(times)).filter((entry): entry is [string, number] => entry[1] !== undefined))
  })
  return asked.catch(error => {
    if (!isTspodError(error, 'HOST_LACKS')) throw error
    return new Map()
  })
}

/** Whoever touches it has the source reconciled; templates/tspod-gitops@.path names it. */
const triggerOf = (name: string, { paths }: World): string => join(gitopsDirectory(paths), name, 'trigger')

const dropInOf = ({ unitFolder }: Place, unit: string): string => join(unitFolder, `${unit}.d`, '10-tspod.conf')

async function writeDropIn(place: Place, unit: string, text: string): Promise<void> {
  const file = dropInOf(place, unit)
  await mkdir(dirname(file), { recursive: true, mode: 0o755 })
  await writeAtomic(file, text, 0o644)
}

/** The folder stays where somebody has put something else there. */
async function removeDropIn(place: Place, unit: string): Promise<void> {
  const file = dropInOf(place, unit)
  await rm(file, { force: true })
  await rmdir(dirname(file)).catch(() => undefined)
}

/** What is there of all that decides about what runs: the source, and the values of its variables. */
async function pathsOf(wish: SourceWish): Promise<string[]> {
  const { vars } = wish
  return [...(await sourcePathsOf(wish)), ...(vars !== undefined && existsSync(vars) ? [vars] : [])]
}

/**
 * What is there of the paths to watch. While one is missing systemd watches its folder, and each event there makes it
 * set up all watches anew, between which others are lost. The log of HEAD has an entry for every way to move it.
 */
async function sourcePathsOf({ from, path, recursive }: SourceWish): Promise<string[]> {
  if (from.kind === 'git') return []
  const about = path === undefined ? {} : { path }
  if (from.kind === 'directory') {
    const directories = recursive ? await directoriesBelow(join(from.dir, path ?? '')) : []
    return watchedPaths(from, { ...about, directories })
  }
  const head = await readFile(join(from.dir, '.git/HEAD'), 'utf8').catch(() => undefined)
  const named = watchedPaths(from, { ...about, ...(head !== undefined && { head }) })
  return [...named, join(from.dir, '.git/logs/HEAD')].filter(each => existsSync(each))
}

async function directoriesBelow(top: string): Promise<string[]> {
  const found: string[] = []
  const waiting = ['']
  while (waiting.length > 0 && found.length < MOST_DIRECTORIES) {
    const at = waiting.shift() ?? ''
    const entries = await readdir(join(top, at), { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      if (!entry.isDirectory() || entry.name.startsWith('.')) continue
      found.push(join(at, entry.name))
      waiting.push(join(at, entry.name))
    }
  }
  return found.slice(0, MOST_DIRECTORIES)
}
