/** `tspod commit`: an image from what a container has written. */
import { resolve } from 'node:path'
import type { Engine } from '../engine/index.ts'
import { writeAtomic } from '../files.ts'
import type { FlagTable } from './flags.ts'
import { defineVerb, type World } from './verb.ts'

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
  pause: { kind: 'switch', initial: false, short: 'p', help: 'freeze the container meanwhile' },
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
    { does: 'With another command', line: `tspod commit -c 'CMD=["nginx","-t"]' -m patched web-nginx nginx` },
  ],
  flags: FLAGS,
  refused: {
    'the image is that of the container and one layer more': 's|squash',
    'a volume keeps what it holds: declare it with -c VOLUME=PATH, copy its files with tspod cp': 'include-volumes',
  },
  async run({ flags, operands: [name = '', image] }, world) {
    const request = {
      ...(image === undefined ? {} : { image }),
      changes: flags.change,
      author: flags.author ?? '',
      message: flags.message ?? '',
    }
    const engine = await world.engine()
    const id = await frozen(flags.pause ? name : undefined, engine, world, () =>
      engine.commit(name, request, world.signal),
    )
    if (flags.iidfile !== undefined) await writeAtomic(resolve(world.cwd, flags.iidfile), `sha256:${id}`, 0o644)
    return { stdout: `${id}\n` }
  },
})

/** Does `work` while the container is paused; one that does not run, or is paused already, stays as it is. */
async function frozen<T>(name: string | undefined, engine: Engine, world: World, work: () => Promise<T>): Promise<T> {
  const found = name === undefined ? undefined : await engine.find(name)
  if (found?.kind !== 'container' || found.container.state !== 'running') return work()
  const ids = [found.container.id]
  const [paused] = await engine.operateContainers(ids, { do: 'pause' }, world.signal)
  if (paused?.error !== undefined) throw paused.error
  try {
    return await work()
  } finally {
    // Also when the signal has ended the work: nobody should find their container frozen.
    await engine.operateContainers(ids, { do: 'unpause' }, new AbortController().signal)
  }
}
