/** `tspod gitops metrics`: how sources stand, for Prometheus. */
import { defineVerb } from '../verb.ts'
import { gitopsOf } from './common.ts'

export const metrics = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Prints the metrics of all GitOps sources in the text format of Prometheus, from the records alone: what ' +
    '`tspod gitops add --metrics FILE` keeps in a file for each source, for whoever collects it in another way.',
  examples: [
    { does: 'Is any source not up to date?', line: "tspod gitops metrics | grep 'up_to_date.* 0$'" },
    {
      does: 'To a Pushgateway',
      line: 'tspod gitops metrics | curl --data-binary @- http://push.example:9091/metrics/job/tspod',
    },
  ],
  flags: {},
  async run(_, world) {
    return { stdout: await (await gitopsOf(world)).metrics() }
  },
})
