/** `tspod image pull`: images from a registry into local storage. */
import { EXIT_OWN_ERROR, isTspodError } from '../errors.ts'
import { failureText } from './failure.ts'
import type { FlagTable, Problem } from './flags.ts'
import { progressLine } from './progress.ts'
import { pullOptions, REGISTRY_FLAGS } from './registry-flags.ts'
import { defineVerb, usageError } from './verb.ts'

const FLAGS = {
  ...REGISTRY_FLAGS,
  'disable-content-trust': { kind: 'switch', initial: false, hidden: true, help: 'without effect, as in Podman' },
} as const satisfies FlagTable

export const imagePull = defineVerb({
  operands: 'IMAGE [IMAGE...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Fetches images, whether or not they are there already, and prints their ids. Registries, short names and ' +
    'signature policy are those of /etc/containers. One image that cannot be fetched does not keep the others back.',
  examples: [
    { does: 'By full name', line: 'tspod image pull docker.io/library/nginx:1.27' },
    { does: 'From a registry with a password', line: 'tspod image pull --authfile auth.json registry.example/app:2' },
    { does: 'From a registry without TLS', line: 'tspod image pull --tls-verify=false localhost:5000/app' },
  ],
  flags: FLAGS,
  refused: {
    'images are fetched for the platform of this host': 'arch= os= platform= variant=',
    'name each image that is wanted': 'a|all-tags',
  },
  async run({ flags, operands }, world) {
    const problems: Problem[] = []
    const options = await pullOptions(flags, world, problems)
    if (problems.length > 0) throw usageError(problems, 'tspod image pull')
    const engine = await world.engine()
    const progress = progressLine(world.err, flags.quiet)
    const ids: string[] = []
    const complaints: string[] = []
    try {
      for (const name of operands) {
        try {
          ids.push((await engine.pull(name, options, progress.show, world.signal)).id)
        } catch (error) {
          if (!isTspodError(error) || world.signal.aborted) throw error
          complaints.push(failureText(error).text)
        }
      }
    } finally {
      progress.finish()
    }
    return {
      stdout: ids.map(id => `${id}\n`).join(''),
      stderr: complaints.join(''),
      exitCode: complaints.length > 0 ? EXIT_OWN_ERROR : 0,
    }
  },
})
