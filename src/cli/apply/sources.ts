/** What `apply` and `diff` read: files and directories of manifests, and whose they are. */
import { basename, resolve } from 'node:path'
import type { ApplyRequest } from '../../engine/index.ts'
import { TspodError } from '../../errors.ts'
import type { Bundle } from '../../model.ts'
import { VERSION } from '../../version.ts'
import type { FlagTable, FlagValues, Problem } from '../flags.ts'
import { MANIFEST_FLAGS, manifestFlagProblems, manifestOptions } from '../manifest-flags.ts'
import { printable } from '../output.ts'
import { pullOptions, REGISTRY_FLAGS } from '../registry-flags.ts'
import { manifestsBelow, readSources, type Source, sourceProblems } from '../source.ts'
import { type GlobalFlags, usageError, type World } from '../verb.ts'

/** Flags that say what is to be there, and whose it is. */
export const APPLY_FLAGS = {
  ...MANIFEST_FLAGS,
  ...REGISTRY_FLAGS,
  app: {
    kind: 'text',
    value: 'NAME',
    help: 'the app that all objects belong to (default: what io.tspod.app says, or the name of the file or directory)',
  },
  filename: {
    kind: 'list',
    value: 'FILE|DIR|URL|-',
    short: 'f',
    help: 'a manifest, a directory of them, a URL, or - for standard input; several count as one',
  },
  'force-conflicts': {
    kind: 'switch',
    initial: false,
    help: 'take over objects that belong to another app, and pods that kube play made',
  },
  output: { kind: 'choice', choices: ['table', 'json'], short: 'o', help: 'table or json (default table)' },
  prune: { kind: 'switch', initial: false, help: 'remove objects of the app that the manifests no longer have' },
  recursive: { kind: 'switch', initial: false, short: 'R', help: 'also manifests in directories below' },
  volumes: {
    kind: 'switch',
    initial: false,
    help: 'with --prune: remove the volumes of claims that are gone, with the data in them',
  },
} as const satisfies FlagTable

export type ApplyFlags = FlagValues<typeof APPLY_FLAGS & GlobalFlags>

/** What is wrong with these flags, before anything is read. */
export function applyFlagProblems(flags: ApplyFlags): Problem[] {
  const problems = [...manifestFlagProblems(flags), ...sourceProblems(flags.filename)]
  if (flags.filename.length === 0) {
    problems.push({ message: 'must specify -f FILE', remedy: 'name a file or a directory of manifests: -f app.yaml' })
  }
  if (flags.volumes && !flags.prune) problems.push({ message: '--volumes needs --prune' })
  return problems
}

/** What the flags name, read and not yet understood; `inputs` as in `ApplyRequest`. */
export type Inputs = {
  flags: ApplyFlags
  sources: Source[]
  manifest: Awaited<ReturnType<typeof manifestOptions>>
  pull: ApplyRequest['pull']
  inputs: string
}

/** Reads what the flags name. Throws USAGE, MANIFEST_UNREADABLE. */
export async function readInputs(flags: ApplyFlags, world: World, verb: string): Promise<Inputs> {
  const problems: Problem[] = []
  const pull = await pullOptions(flags, world, problems)
  if (problems.length > 0) throw usageError(problems, verb)
  const [sources, manifest] = await Promise.all([
    manifestFiles(flags, world).then(names => readSources(names, world)),
    manifestOptions(flags, world),
  ])
  const { quiet, output, ...said } = flags
  return { flags, sources, manifest, pull, inputs: JSON.stringify([VERSION, said, sources, manifest]) }
}

/** Translates what was read: what is asked of the engine, but for how failures are met. */
export async function requestOf(
  { flags, sources, manifest, pull, inputs }: Inputs,
  world: World,
): Promise<Omit<ApplyRequest, 'onFailure' | 'waitMs'>> {
  const [{ translate, subdomainProblem }, engine] = await Promise.all([import('../../kube/index.ts'), world.engine()])
  const { bundle, notes } = translate(sources, { ...manifest, storedSecret: await engine.storedSecrets() })
  if (!flags.quiet) world.err.write(notes.map(note => `note: ${printable(note)}\n`).join(''))
  const app = appName(flags, bundle, world.cwd)
  const problem = subdomainProblem(app)
  if (problem !== undefined) {
    throw new TspodError('USAGE', `the app's name "${printable(app)}" ${problem}`, { remedy: 'choose one with --app' })
  }
  return {
    app,
    source: { path: flags.filename.map(name => placeOf(name, world.cwd)).join(' ') },
    bundle,
    pull,
    ...(flags.runtime !== undefined && { runtime: flags.runtime }),
    inputs,
    prune: flags.prune,
    ...(flags.volumes && { pruneVolumes: true as const }),
    ...(flags['force-conflicts'] && { forceConflicts: true as const }),
  }
}

const isPlace = (name: string): boolean => name !== '-' && !/^https?:\/\//i.test(name)

const placeOf = (name: string, cwd: string): string => (isPlace(name) ? resolve(cwd, name) : name)

/** Directories as the manifests in them. Throws MANIFEST_UNREADABLE for one without any. */
async function manifestFiles({ filename, recursive }: ApplyFlags, world: World): Promise<string[]> {
  const lists = await Promise.all(
    filename.map(async name => {
      const below = isPlace(name) ? await manifestsBelow(name, world, recursive) : undefined
      if (below === undefined || below.length > 0) return below ?? [name]
      throw new TspodError('MANIFEST_UNREADABLE', `there is no manifest in ${name}`, {
        remedy: recursive ? 'their names end with .yaml, .yml or .json' : 'use -R for those in directories below',
      })
    }),
  )
  return lists.flat()
}

/** Of several documents that name an app all have to name the same. Throws USAGE. */
function appName({ app, filename }: ApplyFlags, { objects = [] }: Bundle, cwd: string): string {
  if (app !== undefined) return app
  const named = objects.filter(object => object.app !== undefined)
  const [first, other] = [named[0], named.find(object => object.app !== named[0]?.app)]
  if (first !== undefined && other !== undefined) {
    const at = ({ place }: typeof first): string => `${place.file}:${place.line}`
    throw new TspodError('USAGE', `${at(first)} belongs to app ${first.app}, and ${at(other)} to app ${other.app}`, {
      remedy: 'apply them one after the other, or choose with --app',
    })
  }
  if (first?.app !== undefined) return first.app
  const [only = '-'] = filename
  if (filename.length === 1 && isPlace(only)) {
    return basename(resolve(cwd, only))
      .replace(/\.(?:ya?ml|json)$/i, '')
      .toLowerCase()
  }
  throw new TspodError('USAGE', 'nothing says which app these manifests are', {
    remedy: 'name it with --app NAME, or with the annotation io.tspod.app',
  })
}
