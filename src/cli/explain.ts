/** `tspod explain`: the fields of manifests, and what is done with them. */
import type { FlagTable } from './flags.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  recursive: { kind: 'switch', initial: false, help: 'the names and types of all fields below, without descriptions' },
} as const satisfies FlagTable

export const explain = defineVerb({
  operands: '[KIND[.FIELD...]]',
  count: { minimum: 0, maximum: 1 },
  description:
    'Tells what a field of a manifest means, its type and its default, what tspod does with it (honoured, accepted ' +
    'without effect, refused) and what Podman does. Without an operand: the kinds. Nothing is looked at or touched, ' +
    'and root is not needed.',
  examples: [
    { does: 'The kinds that can be played', line: 'tspod explain' },
    { does: 'One field', line: 'tspod explain pod.spec.containers.livenessProbe' },
    { does: 'Everything a Deployment may hold', line: 'tspod explain deployment --recursive' },
  ],
  flags: FLAGS,
  anyUser: true,
  async run({ flags, operands }, world) {
    const [{ explain: explained, listKinds }, meanings] = await Promise.all([
      import('../kube/index.ts'),
      world.template('fields.txt'),
    ])
    const [path] = operands
    return {
      stdout: path === undefined ? listKinds(meanings) : explained(path, { meanings, recursive: flags.recursive }),
    }
  },
})
