/** `tspod kube down`: what a manifest describes is stopped and removed. */
import type { DownOptions, DownReport } from '../engine/index.ts'
import { EXIT_OWN_ERROR } from '../errors.ts'
import { announcer } from './announce.ts'
import type { FlagTable } from './flags.ts'
import { printable } from './output.ts'
import { readSources, type Source, sourceProblems } from './source.ts'
import { defineVerb, type Outcome, type World } from './verb.ts'

const FLAGS = {
  force: { kind: 'switch', initial: false, help: 'remove the named volumes, with the data in them, too' },
} as const satisfies FlagTable

export const down = defineVerb({
  operands: 'FILE [FILE...]|URL|-',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Stops the pods of one or more manifests, each container by its own stop signal and grace, and removes pods and ' +
    'secrets. Volumes of PersistentVolumeClaims stay unless --force is given. What is already gone is no error. ' +
    'Only names are read from the manifest, so that one that is no longer valid can still be taken down.\n' +
    'Unlike in Podman, the exit code is 125 whenever something could not be removed, not only for volumes.',
  examples: [
    { does: 'Remove what a file describes', line: 'tspod kube down app.yaml' },
    { does: 'Remove its data as well', line: 'tspod kube down --force app.yaml' },
    { does: 'From standard input', line: 'tspod kube down - <app.yaml' },
  ],
  flags: FLAGS,
  check: ({ operands }) => sourceProblems(operands),
  run: ({ flags, operands }, world) => takeDown(operands, { force: flags.force }, world),
})

/** Takes down what the named sources describe; `kube play --down` is the same. */
export async function takeDown(names: readonly string[], how: { force: boolean }, world: World): Promise<Outcome> {
  return takeDownSources(await readSources(names, world), how, world)
}

/** The same for texts that were read already; a service manager is told as it goes. */
export async function takeDownSources(sources: readonly Source[], how: DownOptions, world: World): Promise<Outcome> {
  const [{ namesIn }, engine] = await Promise.all([import('../kube/index.ts'), world.engine()])
  const notifier = await world.notifier()
  const announced = notifier && announcer(notifier, world.clock)
  notifier?.stopping()
  try {
    return downOutcome(await engine.down(namesIn(sources), how, world.signal, announced?.watch))
  } finally {
    await announced?.finish()
  }
}

/** The four headings that Podman always prints. */
export function downReportText(report: DownReport): string {
  const parts: [heading: string, names: readonly string[]][] = [
    ['Pods stopped:', report.stopped],
    ['Pods removed:', report.removed],
    ['Secrets removed:', report.secrets],
    ['Volumes removed:', report.volumes],
  ]
  return parts.map(([heading, names]) => [heading, ...names].map(line => `${line}\n`).join('')).join('')
}

/** What is said at the end of `kube down`; everything that could not be freed is listed. */
export function downOutcome(report: DownReport): Outcome {
  const { failures } = report
  const lines = failures.map(({ object, message }) => printable(`${object}: ${message}`))
  if (failures.length > 0) {
    lines.push(`Error: ${failures.length} of the objects could not be removed`, '  run the same command again')
  }
  return {
    stdout: downReportText(report),
    stderr: lines.map(line => `${line}\n`).join(''),
    exitCode: failures.length > 0 ? EXIT_OWN_ERROR : 0,
  }
}
