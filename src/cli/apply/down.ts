/** `tspod down NAME`: an app is stopped and removed, whatever has become of its manifests. */
import { downOutcome } from '../down.ts'
import type { FlagTable } from '../flags.ts'
import { defineVerb } from '../verb.ts'

const FLAGS = {
  volumes: { kind: 'switch', initial: false, help: 'remove its volumes, with the data in them, too' },
} as const satisfies FlagTable

export const down = defineVerb({
  operands: 'NAME [NAME...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Stops and removes every object that an app has: pods, those first that depend on others, then Secrets. The ' +
    'manifests are not needed. Volumes stay unless --volumes is given; what is already gone is no error. What was ' +
    'played without `tspod apply` belongs to no app: see `tspod kube down`.\n' +
    'The exit code is 125 when something could not be removed; it stays listed in `tspod apps` then.',
  examples: [
    { does: 'Take an app down', line: 'tspod down shop' },
    { does: 'And its data', line: 'tspod down shop --volumes' },
  ],
  flags: FLAGS,
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const report = { stopped: [], removed: [], secrets: [], volumes: [], failures: [] } as Report
    for (const name of operands) {
      const one = await engine.removeApp(name, { volumes: flags.volumes }, world.signal)
      for (const key of ['stopped', 'removed', 'secrets', 'volumes'] as const) report[key].push(...one[key])
      report.failures.push(...one.failures)
    }
    return downOutcome(report)
  },
})

type Report = Parameters<typeof downOutcome>[0]
