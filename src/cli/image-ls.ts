/** `tspod image ls`: the images in containers-storage, which Podman, Buildah and Skopeo share. */
import type { LocalImage } from '../model.ts'
import type { FlagTable } from './flags.ts'
import { FORMAT_FLAG, ID_FLAGS } from './list-flags.ts'
import { printable, printableLines } from './output.ts'
import { age, json, shortId, size, table, timestamp } from './table.ts'
import { formatList, goTime, humanDuration, rfc3339, type Struct, wantsJson } from './template/index.ts'
import { defineVerb, type Input } from './verb.ts'

const FLAGS = {
  ...ID_FLAGS,
  ...FORMAT_FLAG,
  noheading: { kind: 'switch', initial: false, short: 'n', help: 'a table without its first line' },
} as const satisfies FlagTable

export const imageLs = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Lists the images in local storage, newest first. The storage is shared with Podman, Buildah and Skopeo. Templates ' +
    'and the capitalised names in JSON are those of `podman images`; docs/format.md lists them.',
  examples: [
    { does: 'All images', line: 'tspod image ls' },
    { does: 'Ids only, in full', line: 'tspod image ls -q --no-trunc' },
    { does: 'Names to pull again', line: `tspod image ls --format '{{.Repository}}:{{.Tag}}'` },
    { does: 'For scripts', line: `tspod image ls --format json | jq -r '.[].names[]'` },
  ],
  flags: FLAGS,
  async run(input, world) {
    const images = await (await world.engine()).images()
    const text = imageList(images, input.flags, world.clock.nowMs())
    return { stdout: world.out.isTerminal ? printableLines(text) : text }
  },
})

type Row = { image: LocalImage; repository: string; tag: string }

/** What `table …` puts above a field (podman images). */
const TITLES: Readonly<Record<string, string>> = {
  Created: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedSince: 'CREATED',
  CreatedTime: 'CREATED TIME',
  Digest: 'DIGEST',
  ID: 'IMAGE ID',
  Id: 'IMAGE ID',
  Labels: 'LABELS',
  Names: 'NAMES',
  RepoDigests: 'REPO DIGESTS',
  RepoTags: 'REPO TAGS',
  Repository: 'REPOSITORY',
  Size: 'SIZE',
  Tag: 'TAG',
  VirtualSize: 'VIRTUAL SIZE',
}

/** The list in the wanted form; an image with several names has a line for each. Throws USAGE for a bad template. */
export function imageList(images: readonly LocalImage[], flags: Input<typeof FLAGS>['flags'], nowMs: number): string {
  const sorted = [...images].sort((a, b) => b.createdMs - a.createdMs)
  const id = (image: LocalImage): string => (flags['no-trunc'] ? image.id : shortId(image.id))
  const { format = 'table' } = flags
  if (wantsJson(format)) return json(sorted.map(image => ({ ...imageRecord(image), ...podmanRecord(image) })))
  const rows = sorted.flatMap(image =>
    (image.names.length === 0 ? [''] : image.names).map((name): Row => {
      const [repository, tag] = nameAndTag(name)
      return { image, repository, tag }
    }),
  )
  if (format !== 'table') {
    const fields = rows.map(row => imageFields(row, id(row.image), nowMs))
    return formatList(format, fields, { typeName: 'imageReporter', titles: TITLES, heading: !flags.noheading })
  }
  if (flags.quiet) return sorted.map(image => `${id(image)}\n`).join('')
  const cells = rows.map(({ image, repository, tag }) => [
    printable(repository),
    printable(tag),
    id(image),
    age(nowMs - image.createdMs),
    size(image.sizeBytes),
  ])
  const text = table(['REPOSITORY', 'TAG', 'IMAGE ID', 'AGE', 'SIZE'], cells)
  return flags.noheading ? text.slice(text.indexOf('\n') + 1) : text
}

function nameAndTag(name: string): [repository: string, tag: string] {
  if (name === '') return ['<none>', '<none>']
  const digest = name.indexOf('@')
  if (digest !== -1) return [name.slice(0, digest), '<none>']
  const colon = name.lastIndexOf(':')
  if (colon <= name.lastIndexOf('/')) return [name, '<none>']
  return [name.slice(0, colon), name.slice(colon + 1)]
}

/** What a template finds in a row; as in Podman `.ID` is short and `.Id` is not. */
function imageFields({ image, repository, tag }: Row, id: string, nowMs: number): Struct {
  const created = goTime(new Date(image.createdMs))
  const ago = `${humanDuration(nowMs - image.createdMs)} ago`
  return {
    ID: id,
    ...(podmanRecord(image) as Struct),
    Repository: repository,
    Tag: tag,
    Created: ago,
    CreatedAt: created,
    CreatedSince: ago,
    CreatedTime: created,
    Size: size(image.sizeBytes),
    Labels: new Map(Object.entries(image.config.labels)),
    toJSON: () => podmanRecord(image) as Struct,
  }
}

/** The record of `podman images --format json`. */
function podmanRecord(image: LocalImage): Record<string, unknown> {
  const repositories = new Set(image.names.map(name => nameAndTag(name)[0]))
  return {
    Id: image.id,
    RepoTags: image.names.filter(name => !name.includes('@')),
    RepoDigests: image.digest === '' ? [] : [...repositories].map(name => `${name}@${image.digest}`),
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
    Labels: image.config.labels,
    Names: image.names,
    Digest: image.digest,
    Created: Math.floor(image.createdMs / 1000),
    CreatedAt: rfc3339(new Date(image.createdMs)),
  }
}

/** Our own names: these are stable. */
const imageRecord = (image: LocalImage): Record<string, unknown> => ({
  id: image.id,
  digest: image.digest,
  names: image.names,
  size: image.sizeBytes,
  created: timestamp(image.createdMs),
})
