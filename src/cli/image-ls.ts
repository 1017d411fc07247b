/** `tspod image ls`: the images in containers-storage, which Podman, Buildah and Skopeo share. */
import type { LocalImage } from '../model.ts'
import type { FlagTable } from './flags.ts'
import { LIST_FLAGS } from './list-flags.ts'
import { printable } from './output.ts'
import { age, json, shortId, size, table, timestamp } from './table.ts'
import { defineVerb, type Input } from './verb.ts'

const FLAGS = LIST_FLAGS satisfies FlagTable

export const imageLs = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Lists the images in local storage, newest first. The storage is shared with Podman, Buildah and Skopeo.',
  examples: [
    { does: 'All images', line: 'tspod image ls' },
    { does: 'Ids only, in full', line: 'tspod image ls -q --no-trunc' },
    { does: 'For scripts', line: `tspod image ls --format json | jq -r '.[].names[]'` },
  ],
  flags: FLAGS,
  async run(input, world) {
    const images = await (await world.engine()).images()
    return { stdout: imageList(images, input.flags, world.clock.nowMs()) }
  },
})

/** The list in the wanted form; an image with several names has a line for each. */
export function imageList(images: readonly LocalImage[], flags: Input<typeof FLAGS>['flags'], nowMs: number): string {
  const sorted = [...images].sort((a, b) => b.createdMs - a.createdMs)
  const id = (image: LocalImage): string => (flags['no-trunc'] ? image.id : shortId(image.id))
  if (flags.quiet) return sorted.map(image => `${id(image)}\n`).join('')
  if (flags.format === 'json') return json(sorted.map(imageRecord))
  const rows = sorted.flatMap(image =>
    (image.names.length === 0 ? [''] : image.names).map(name => [
      ...nameAndTag(name),
      id(image),
      age(nowMs - image.createdMs),
      size(image.sizeBytes),
    ]),
  )
  return table(['REPOSITORY', 'TAG', 'IMAGE ID', 'AGE', 'SIZE'], rows)
}

function nameAndTag(name: string): [repository: string, tag: string] {
  if (name === '') return ['<none>', '<none>']
  const digest = name.indexOf('@')
  if (digest !== -1) return [printable(name.slice(0, digest)), '<none>']
  const colon = name.lastIndexOf(':')
  if (colon <= name.lastIndexOf('/')) return [printable(name), '<none>']
  return [printable(name.slice(0, colon)), printable(name.slice(colon + 1))]
}

const imageRecord = (image: LocalImage): Record<string, unknown> => ({
  id: image.id,
  digest: image.digest,
  names: image.names,
  size: image.sizeBytes,
  created: timestamp(image.createdMs),
})
