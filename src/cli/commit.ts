/** `tspod commit`: an image from what a container has written. */
import { resolve } from 'node:path'
import { writeAtomic } from '../files.ts'
import type { FlagTable } from './flags.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  author: { kind: 'text', value: 'NAME', short: 'a', help: 'who made it' },
  change: {
    kind: 'list',
    value: 'INSTRUCTION',
    short: 'c',
    help: 'change the configuration: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR',
  },
  format: { kind: 'choice', choices: ['oci'], short: 'f', help: 'OCI is the only format' },
  iidfile: { kind: 'text', value: 'FILE', help: 'write the id of the image to a file' },
  message: { kind: 'text', value: 'TEXT', short: 'm', help: 'a comment in the history of the image' },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'without effect: only the id is printed anyway' },
} as const satisfies FlagTable

export const commit = defineVerb({
  operands: 'CONTAINER [IMAGE]',
  count: { minimum: 1, maximum: 2 },
  description:
    'Makes an image of the image of a container and what the container has written since, and prints its id. The ' +
    'container goes on running meanwhile. Volumes, and the environment and command that the manifest gives, are not ' +
    'part of it: they may hold secrets.',
  examples: [
    { does: 'An image with a name', line: 'tspod commit web-nginx localhost/nginx:patched' },
    { does: 'With another command', line: 'tspod commit -c CMD=["nginx","-t"] -m patched web-nginx nginx' },
  ],
  flags: FLAGS,
  async run({ flags, operands: [name = '', image] }, world) {
    const request = {
      ...(image === undefined ? {} : { image }),
      changes: flags.change,
      author: flags.author ?? '',
      message: flags.message ?? '',
    }
    const id = await (await world.engine()).commit(name, request, world.signal)
    if (flags.iidfile !== undefined) await writeAtomic(resolve(world.cwd, flags.iidfile), `sha256:${id}`, 0o644)
    return { stdout: `${id}\n` }
  },
})
