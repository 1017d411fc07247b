/** `tspod diff`: what an apply would do with `-f`, what a container has changed of its image without. */
import type { Changes } from '../engine/index.ts'
import { APPLY_FLAGS, applyFlagProblems } from './apply/index.ts'
import type { FlagTable } from './flags.ts'
import { LATEST_FLAG, latestContainer, latestProblems } from './latest.ts'
import { printable } from './output.ts'
import { json } from './table.ts'
import { defineVerb, type Input } from './verb.ts'

const FLAGS = {
  ...APPLY_FLAGS,
  format: { kind: 'choice', choices: ['json'], help: 'of a container: as JSON' },
  ...LATEST_FLAG,
} as const satisfies FlagTable

type DiffInput = Input<typeof FLAGS>

export const diff = defineVerb({
  operands: '-f FILE|DIR | CONTAINER',
  count: { minimum: 0, maximum: 1 },
  description:
    'With -f compares what runs with manifests: what `tspod apply` would do with each object, why, which fields differ, ' +
    'which pods restart, and for how long they are away at most: their grace and what their last start took. Of ' +
    'Secrets only the keys are shown. The exit code is 0 when nothing would be done, 1 when something would, and 2 or ' +
    'more after an error.\n' +
    'With the name of a container lists the paths in which its root file system differs from its image: A for added, C ' +
    'for changed, D for deleted. Volumes and the places where something is mounted are left out.',
  examples: [
    { does: 'What an apply would do', line: 'tspod diff -f app.yaml' },
    { does: 'For a directory of manifests and a pipeline', line: 'tspod diff -f ./shop -R --prune -o json' },
    { does: 'What an application writes besides its volumes', line: 'tspod diff web-nginx' },
    { does: 'For a script', line: "tspod diff --format json web-nginx | jq -r '.added[]?'" },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => {
    if (!isAboutManifests(flags)) return latestProblems(flags, operands)
    if (operands.length === 0 && !flags.latest) return applyFlagProblems(flags)
    return [{ message: 'manifests are compared with -f, containers by their name: not both at once' }]
  },
  async run({ flags, operands: [name = ''] }, world) {
    if (isAboutManifests(flags)) return (await import('./apply/index.ts')).diffManifests(flags, world)
    const engine = await world.engine()
    const changes = await engine.diff(flags.latest ? await latestContainer(engine) : name)
    return { stdout: flags.format === 'json' ? json(withoutEmpty(changes)) : changeLines(changes) }
  },
})

/** A container has no manifest: `-f` tells the two apart. */
const isAboutManifests = ({ filename, recursive, app }: DiffInput['flags']): boolean =>
  filename.length > 0 || recursive || app !== undefined

/** Sorted by path, as Podman prints them. */
function changeLines({ changed, added, deleted }: Changes): string {
  const lines = [
    ...changed.map(path => ({ letter: 'C', path })),
    ...added.map(path => ({ letter: 'A', path })),
    ...deleted.map(path => ({ letter: 'D', path })),
  ]
  return lines
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ letter, path }) => `${letter} ${printable(path)}\n`)
    .join('')
}

/** Podman leaves out what would be empty. */
const withoutEmpty = (changes: Changes): object =>
  Object.fromEntries(Object.entries(changes).filter(([, paths]) => paths.length > 0))
