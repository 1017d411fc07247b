/** `tspod container artifact`: small files that are kept with a container and go with it. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { TspodError } from '../errors.ts'
import { forEachName } from './each.ts'
import type { FlagTable } from './flags.ts'
import { json, size, table, timestamp } from './table.ts'
import { defineVerb, type World } from './verb.ts'

const KEPT = 'An artifact is a file of at most 1 MiB that is kept with a container, for root only, and goes with it.'
/** One more than fits: enough to see that there is too much. */
const MAX_READ_BYTES = 1024 * 1024 + 1

export const artifactAdd = defineVerb({
  operands: 'CONTAINER NAME [FILE|-]',
  count: { minimum: 2, maximum: 3 },
  description: `${KEPT} Its content comes from FILE or from standard input.`,
  examples: [
    { does: 'From a file', line: 'tspod container artifact add web-nginx build.json build.json' },
    { does: 'From a pipe', line: 'git rev-parse HEAD | tspod container artifact add web-nginx commit' },
  ],
  flags: {},
  async run({ operands: [container = '', name = '', file = '-'] }, world) {
    const data = file === '-' ? await readInput(world) : await readSource(resolve(world.cwd, file))
    await (await world.engine()).addArtifact(container, name, data)
    return { stdout: `${name}\n` }
  },
})

export const artifactGet = defineVerb({
  operands: 'CONTAINER NAME',
  count: { minimum: 2, maximum: 2 },
  description: `${KEPT} Prints its content as it is.`,
  examples: [{ does: 'Its content', line: 'tspod container artifact get web-nginx commit' }],
  flags: {},
  async run({ operands: [container = '', name = ''] }, world) {
    world.out.write(await (await world.engine()).getArtifact(container, name))
    return {}
  },
})

const LIST_FLAGS = {
  format: { kind: 'choice', choices: ['json'], help: 'as JSON' },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'names only' },
} as const satisfies FlagTable

export const artifactLs = defineVerb({
  operands: 'CONTAINER',
  count: { minimum: 1, maximum: 1 },
  description: KEPT,
  examples: [{ does: 'What is kept with a container', line: 'tspod container artifact ls web-nginx' }],
  flags: LIST_FLAGS,
  async run({ flags, operands: [container = ''] }, world) {
    const found = await (await world.engine()).listArtifacts(container)
    if (flags.quiet) return { stdout: found.map(({ name }) => `${name}\n`).join('') }
    const rows = found.map(({ name, sizeBytes, createdMs }) => ({ name, sizeBytes, created: timestamp(createdMs) }))
    if (flags.format === 'json') return { stdout: json(rows) }
    return {
      stdout: table(
        ['NAME', 'SIZE', 'CREATED'],
        rows.map(row => [row.name, size(row.sizeBytes), row.created ?? '']),
      ),
    }
  },
})

export const artifactRm = defineVerb({
  operands: 'CONTAINER NAME [NAME...]',
  count: { minimum: 2, maximum: Number.POSITIVE_INFINITY },
  description: KEPT,
  examples: [{ does: 'One of them', line: 'tspod container artifact rm web-nginx commit' }],
  flags: {},
  async run({ operands: [container = '', ...names] }, world) {
    const engine = await world.engine()
    return forEachName(names, async name => {
      await engine.removeArtifact(container, name)
      return `${name}\n`
    })
  },
})

async function readInput(world: World): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of world.stdin()) {
    chunks.push(Buffer.from(chunk))
    length += chunk.length
    if (length >= MAX_READ_BYTES) break
  }
  return Buffer.concat(chunks)
}

async function readSource(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new TspodError('NO_SUCH_OBJECT', `cannot read ${path}: ${(cause as Error).message}`, {
      remedy: 'check the path and its permissions',
      cause,
    })
  }
}
