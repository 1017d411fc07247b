/**
 * `tspod systemd run`: what the unit's commands call. The instance is looked up and its options are read here, so that
 * neither a shell nor systemd's own expansion touches them.
 *
 * The texts of what was played are kept in the run directory: whatever has become of the file since, the unit takes
 * down what it has made, and a second attempt to take it down finds nothing to do.
 */
import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { DownRequest } from '../../engine/index.ts'
import { isMissing, TspodError } from '../../errors.ts'
import { writeAtomic } from '../../files.ts'
import {
  instanceOf,
  type KubeOptions,
  type KubeUnit,
  readKubeOptions,
  unitFileIssueText,
  unitOfInstance,
} from '../../systemd/index.ts'
import { downOutcome, takeDownSources } from '../down.ts'
import { interpret } from '../interpret.ts'
import { readSources, type Source } from '../source.ts'
import { defineVerb, type Outcome, type World } from '../verb.ts'
import { needManifest, type Place, placeOf, USER_FLAG } from './common.ts'

const DOING = ['play', 'reload', 'stop'] as const

export const run = defineVerb({
  operands: 'play|reload|stop INSTANCE',
  count: { minimum: 2, maximum: 2 },
  description: 'What the commands of tspod-kube@.service call, with the instance as it stands in the name of the unit.',
  examples: [{ does: 'As ExecStart= does', line: 'tspod systemd run play -- -srv-app.yaml' }],
  flags: USER_FLAG,
  check: ({ operands: [doing = ''] }) =>
    (DOING as readonly string[]).includes(doing) ? [] : [{ message: `"${doing}" is none of ${DOING.join(', ')}` }],
  async run({ flags, operands: [doing, instance = ''] }, world) {
    const place = placeOf(flags.user, world)
    const unit = unitOfInstance(instance, place.folder)
    if (doing === 'stop') return takeDownPlayed(unit, world)
    const { stderr = '', exitCode = 0 } = await (doing === 'play' ? playUnit : reloadUnit)(unit, place, world)
    // The ids of what was made would only be between the containers' own lines in the journal.
    return { stderr, exitCode }
  },
})

async function playUnit(unit: KubeUnit, place: Place, world: World): Promise<Outcome> {
  needManifest(unit, place)
  const played = playedFile(unit, world)
  const { play } = await optionsOf(unit)
  await remember(played, await readSources([unit.manifest], world))
  return playWith(play, unit, world)
}

/** Plays the manifest as it is now; what it no longer names goes once the rest is up. */
async function reloadUnit(unit: KubeUnit, place: Place, world: World): Promise<Outcome> {
  needManifest(unit, place)
  const played = playedFile(unit, world)
  const { play } = await optionsOf(unit)
  const { namesIn } = await import('../../kube/index.ts')
  const sources = await readSources([unit.manifest], world)
  const after = namesIn(sources)
  const before = await readable(await recall(played))
  await remember(played, sources)
  const outcome = await playWith(play, unit, world)
  const engine = await world.engine()
  const removed = downOutcome(await engine.down(without(namesIn(before), after), { force: false }, world.signal))
  if (removed.exitCode === 0) await keep(played, sources)
  return {
    stderr: `${outcome.stderr ?? ''}${removed.stderr ?? ''}`,
    exitCode: outcome.exitCode || removed.exitCode || 0,
  }
}

/**
 * Takes down what the unit has played and not taken down yet; nothing when there is nothing. Its pods go also where
 * nobody knows any more what was played: the notes are in the run directory, and those may have been lost.
 */
export async function takeDownPlayed(unit: KubeUnit, world: World): Promise<Outcome> {
  const played = playedFile(unit, world)
  const noted = await recall(played)
  const sources = await readable(noted)
  // Options that have become wrong must not keep anything running.
  const { force } = await optionsOf(unit).catch(error => {
    if (!(error instanceof TspodError)) throw error
    world.err.write(`warning: ${error.message}\n`)
    return { force: false }
  })
  const outcome = await takeDownSources(sources, { force, unit: unit.unit }, world)
  if (outcome.exitCode === 0) await rm(played, { force: true })
  return { stderr: outcome.stderr ?? '', exitCode: outcome.exitCode ?? 0 }
}

/** The options beside the manifest, none when there is no such file. Throws CONFIG_INVALID with all that is wrong. */
async function optionsOf({ options }: KubeUnit): Promise<KubeOptions> {
  let text: string
  try {
    text = await readFile(options, 'utf8')
  } catch (error) {
    if (isMissing(error)) return { play: [], force: false }
    throw error
  }
  const read = readKubeOptions(text, options, path => resolve(dirname(options), path))
  if (read.issues.length === 0) return read.options
  throw new TspodError('CONFIG_INVALID', `${options} has ${read.issues.length} mistakes`, {
    remedy: 'correct them; systemd need not be told: the file is read at every start',
    details: unitFileIssueText(read.issues),
  })
}

/** Flags of `kube play` that would make something else of the unit than a service, or that come too late. */
const NOT_FOR_UNITS: Readonly<Record<string, unknown>> = {
  down: false,
  force: false,
  wait: false,
  start: true,
  root: undefined,
  runroot: undefined,
  'log-level': undefined,
}

/** Runs `kube play` as a person would have called it, for the unit that this process belongs to. */
async function playWith(args: readonly string[], { manifest, options }: KubeUnit, world: World): Promise<Outcome> {
  const fixed = ['--replace=true', '--service-container=true', '--', manifest]
  const invocation = await interpret(['kube', 'play', ...args, ...fixed], world.out.columns)
  const wrong =
    invocation.kind === 'text'
      ? ['help']
      : Object.keys(NOT_FOR_UNITS).filter(name => invocation.input.flags[name] !== NOT_FOR_UNITS[name])
  if (invocation.kind === 'text' || wrong.length > 0 || invocation.input.operands.length !== 1) {
    const what = wrong.length > 0 ? wrong.map(name => `--${name}`).join(', ') : 'a word that is no flag'
    throw new TspodError('CONFIG_INVALID', `${options}: PodmanArgs= holds ${what}, which is not for units`, {
      remedy: 'take it out',
    })
  }
  return invocation.verb.run(invocation.input, world)
}

/** templates/stop-post looks for it. No longer than a file's name may be, with what an atomic write adds to it. */
const playedFile = ({ unit }: KubeUnit, { paths }: World): string => join(paths.runRoot, `unit:${instanceOf(unit)}`)

/** What was played and has not been taken down, oldest first. */
async function recall(played: string): Promise<Source[]> {
  try {
    return JSON.parse(await readFile(played, 'utf8')) as Source[]
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function keep(played: string, sources: readonly Source[]): Promise<void> {
  await mkdir(dirname(played), { recursive: true, mode: 0o700 })
  await writeAtomic(played, JSON.stringify(sources), 0o600, { durable: false })
}

/** Notes what is about to be played, beside what an earlier attempt has left. */
async function remember(played: string, sources: readonly Source[]): Promise<void> {
  const before = await recall(played)
  const news = sources.filter(({ text }) => before.every(known => known.text !== text))
  if (news.length > 0) await keep(played, [...before, ...news])
}

/** Those whose names can be read: a text that nobody can read has made nothing. */
async function readable(sources: readonly Source[]): Promise<Source[]> {
  const { namesIn } = await import('../../kube/index.ts')
  return sources.filter(source => {
    try {
      namesIn([source])
      return true
    } catch (error) {
      if (error instanceof TspodError) return false
      throw error
    }
  })
}

/** What of `before` is not in `after`. */
function without(before: DownRequest, after: DownRequest): DownRequest {
  const rest = <T>(key: keyof DownRequest): T[] => {
    const kept = new Set((after[key] as unknown[]).map(each => JSON.stringify(each)))
    return (before[key] as T[]).filter(each => !kept.has(JSON.stringify(each)))
  }
  return {
    pods: rest('pods'),
    workloads: rest('workloads'),
    secrets: rest('secrets'),
    claims: rest('claims'),
    podClaims: rest('podClaims'),
    claimsOf: rest('claimsOf'),
  }
}
