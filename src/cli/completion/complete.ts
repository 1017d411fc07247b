/** `tspod __complete`: the words that may come next, for the completion scripts of shells. */
import type { Engine } from '../../engine/index.ts'
import { printable } from '../output.ts'
import { defineVerb, type World } from '../verb.ts'
import { type Candidate, type Thing, wantedAt } from './wanted.ts'

export const complete = defineVerb({
  operands: '[WORD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Prints what may be typed in place of the last of the words: a candidate in each line, with a tab and its ' +
    'meaning, and in a last line that begins with a colon whether paths may stand there too. The completion scripts ' +
    'of shells call it.',
  examples: [{ does: 'After `tspod pod s`', line: 'tspod __complete pod s' }],
  flags: {},
  anyUser: true,
  async run({ operands }, world) {
    const current = operands.at(-1) ?? ''
    const { words, things, paths = '' } = await wantedAt(operands)
    const names = await namesOf(things, world)
    const fitting = [...words, ...names].filter(({ word }) => word.startsWith(current))
    const lines = fitting.map(({ word, help }) => `${printable(word)}\t${help}\n`)
    return { stdout: `${lines.join('')}:${paths}\n` }
  },
})

/** Names of what there is. Whoever may not look, or cannot, gets none: this is no place for complaints. */
async function namesOf(things: readonly Thing[], world: World): Promise<Candidate[]> {
  if (things.length === 0) return []
  try {
    const engine = await world.engine()
    return (await Promise.all(things.map(thing => NAMES[thing](engine)))).flat()
  } catch {
    return []
  }
}

const named = (word: string, help = ''): Candidate => ({ word, help })

const NAMES: { readonly [T in Thing]: (engine: Engine) => Promise<Candidate[]> } = {
  apps: async engine => (await engine.apps()).map(({ name, health }) => named(name, health)),
  containers: async engine =>
    (await engine.pods()).flatMap(({ containers }) => containers.map(({ name, state }) => named(name, state))),
  images: async engine => (await engine.images()).flatMap(({ names }) => names.map(name => named(name))),
  networks: async engine =>
    (await engine.networks()).map(({ definition, pods }) => named(definition.name, pods.join(' '))),
  pods: async engine =>
    (await engine.pods())
      .filter(({ kind }) => kind === 'pod')
      .map(({ name, reason }) => named(name, printable(reason))),
  secrets: async engine => (await engine.secrets()).map(({ name, type }) => named(name, printable(type))),
  sources: async engine => (await (await engine.gitops()).sources()).map(({ name }) => named(name)),
  volumes: async engine => (await engine.volumes()).map(({ name, pods }) => named(name, pods.join(' '))),
}
