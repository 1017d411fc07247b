/** `tspod diff`: what a container has changed of its image. */
import type { Changes } from '../engine/index.ts'
import type { FlagTable } from './flags.ts'
import { LATEST_FLAG, latestContainer, latestProblems } from './latest.ts'
import { printable } from './output.ts'
import { json } from './table.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  format: { kind: 'choice', choices: ['json'], help: 'as JSON' },
  ...LATEST_FLAG,
} as const satisfies FlagTable

export const diff = defineVerb({
  operands: 'CONTAINER',
  count: { minimum: 0, maximum: 1 },
  description:
    'Lists the paths in which the root file system of a container differs from its image: A for added, C for changed, ' +
    'D for deleted. Volumes and the places where something is mounted are left out.',
  examples: [
    { does: 'What a container has written', line: 'tspod diff web-nginx' },
    { does: 'Only what is new', line: "tspod diff --format json web-nginx | jq -r '.added[]?'" },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => latestProblems(flags, operands),
  async run({ flags, operands: [name = ''] }, world) {
    const engine = await world.engine()
    const changes = await engine.diff(flags.latest ? await latestContainer(engine) : name)
    return { stdout: flags.format === 'json' ? json(withoutEmpty(changes)) : changeLines(changes) }
  },
})

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
