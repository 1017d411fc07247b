/** `tspod kube render`: what a manifest comes to, without playing it. */
import type { FlagTable } from './flags.ts'
import { MANIFEST_FLAGS, manifestFlagProblems, manifestOptions } from './manifest-flags.ts'
import { printable } from './output.ts'
import { readSources, sourceProblems } from './source.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  ...MANIFEST_FLAGS,
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'do not tell which fields have no effect' },
} as const satisfies FlagTable

export const render = defineVerb({
  operands: 'FILE [FILE...]|URL|-',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Prints what `tspod kube play` would make of the manifests: one Pod for each pod, with the defaults filled in, ' +
    'and the ConfigMaps, Secrets and claims. The values of Secrets are printed as the manifest has them, in base64. ' +
    'Nothing is created, and root is not needed.',
  examples: [
    { does: 'See what a Deployment comes to', line: 'tspod kube render app.yaml' },
    { does: 'Compare two versions', line: 'tspod kube render old.yaml >a; tspod kube render new.yaml | diff a -' },
  ],
  flags: FLAGS,
  anyUser: true,
  check: ({ flags, operands }) => [...sourceProblems(operands), ...manifestFlagProblems(flags)],
  async run({ flags, operands }, world) {
    const [sources, options, { manifestText, renderBundle, translate }] = await Promise.all([
      readSources(operands, world),
      manifestOptions(flags, world),
      import('../kube/index.ts'),
    ])
    const { bundle, notes } = translate(sources, options)
    return {
      stdout: manifestText(renderBundle(bundle)),
      stderr: flags.quiet ? '' : notes.map(note => `note: ${printable(note)}\n`).join(''),
    }
  },
})
