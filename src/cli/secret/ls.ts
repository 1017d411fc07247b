/** `tspod secret ls`: Secrets without their values, as `kubectl get secrets` shows them, as JSON, or by a template. */
import { LISTING_FLAGS, listOutcome } from '../listing.ts'
import { defineVerb } from '../verb.ts'
import { shownSecret } from './fields.ts'

export const secretLs = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Lists the Secrets that manifests have brought here, without their values; DATA is how many keys one has. They ' +
    'stay when their pods go, for later plays, and go with `tspod secret rm` or `tspod kube down`.',
  examples: [
    { does: 'All of them', line: 'tspod secret ls' },
    { does: 'For scripts', line: `tspod secret ls --format json | jq -r '.[].name'` },
  ],
  flags: { ...LISTING_FLAGS, quiet: { ...LISTING_FLAGS.quiet, help: 'print ids only' } },
  run: async ({ flags }, { engine, clock, out }) =>
    listOutcome(await (await engine()).secrets(), flags, shownSecret(clock.nowMs()), out),
})
