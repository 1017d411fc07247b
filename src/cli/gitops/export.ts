/** `tspod gitops export`: the manifests that were applied, for whoever goes on without the source, or without tspod. */
import { constants } from 'node:fs'
import { mkdir, open, readdir } from 'node:fs/promises'
import { dirname, posix, resolve } from 'node:path'
import type { ExportedRevision } from '../../engine/index.ts'
import { isMissing, TspodError } from '../../errors.ts'
import { openBeneath } from '../../files.ts'
import { unsafePath } from '../../inside.ts'
import type { FlagTable } from '../flags.ts'
import { printable } from '../output.ts'
import { defineVerb } from '../verb.ts'
import { gitopsOf } from './common.ts'

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants

const FLAGS = {
  revision: {
    kind: 'text',
    value: 'REVISION',
    help: 'one of the last ten that were applied, or the beginning of its commit; without it the last one',
  },
  output: { kind: 'text', value: 'DIR', short: 'o', help: 'write a file for each into a new or empty directory' },
} as const satisfies FlagTable

export const exportManifests = defineVerb({
  operands: 'NAME',
  count: { minimum: 1, maximum: 1 },
  description:
    'Prints the manifests of a source as they were applied: rendered, with the values of --vars, and with Secrets that ' +
    'SOPS has decrypted, readable. The source is not looked at, so it may be gone. Files that relative hostPaths name ' +
    'are not among it. With --output only root can read what is written, and nothing that is there is touched.',
  examples: [
    { does: 'Move what runs to a cluster', line: 'tspod gitops export shop | kubectl apply -f -' },
    {
      does: 'Play it on another host',
      line: 'tspod gitops export shop | ssh other tspod kube play -',
    },
    { does: 'An earlier revision, as files', line: 'tspod gitops export shop --revision 3f1c9a7 --output shop' },
  ],
  flags: FLAGS,
  async run({ flags, operands: [name = ''] }, world) {
    const exported = await (await gitopsOf(world)).export(name, flags.revision)
    if (flags.output === undefined) return { stdout: manifestStream(exported.files) }
    const written = await writeFiles(resolve(world.cwd, flags.output), exported)
    return { stdout: written.map(file => `${printable(file)}\n`).join('') }
  },
})

/** What may stand before the first document of a file, and would end one in the middle of a stream. */
const BEGINNING = /^\ufeff?(?:%YAML .*\n)?(?:---[ \t]*\r?\n)?/

/** All files as one stream of YAML, each below a comment with its name, as helm prints them. Pure. */
export function manifestStream(files: ExportedRevision['files']): string {
  return files
    .map(({ file, text }) => {
      const body = text.replace(BEGINNING, '')
      return `---\n# Source: ${printable(file)}\n${body}${body.endsWith('\n') ? '' : '\n'}`
    })
    .join('')
}

/** What kustomize has made: `DIR/kustomization.yaml#KIND/NAME (FILE)`. */
const RENDERED = /^((?:.*\/)?)[^/#]*#([^/]+)\/([^/ ]+)(?: \(.*\))?$/
const MAX_NAME_BYTES = 255

/**
 * Names of files below a directory, one for each of the record: their own, from `root` on where they lie there, and
 * KIND-NAME.yaml of what was rendered. Throws UNSAFE_PATH for one that could be elsewhere. Pure.
 */
export function fileNames(files: readonly string[], root: string): string[] {
  const taken = new Set<string>()
  return files.map(file => {
    const inside = file.startsWith(`${root}/`) ? file.slice(root.length + 1) : file.replace(/^\/+/, '')
    const path = inside.replace(
      RENDERED,
      (_, dir: string, kind: string, name: string) => `${dir}${kind.toLowerCase()}-${name}.yaml`,
    )
    const isSafe = (part: string): boolean =>
      !['', '.', '..'].includes(part) && !part.includes('\0') && Buffer.byteLength(part) <= MAX_NAME_BYTES
    if (!path.split('/').every(isSafe)) throw unsafePath(printable(file), 'it is no name of a file in a directory')
    const { dir, name, ext } = posix.parse(path)
    let free = path
    for (let number = 2; taken.has(free); number++) free = posix.join(dir, `${name}-${number}${ext}`)
    taken.add(free)
    return free
  })
}

/** Writes each file anew, readable by its owner alone; answers their names below `directory`. */
async function writeFiles(directory: string, { files, root }: ExportedRevision): Promise<string[]> {
  const names = fileNames(
    files.map(({ file }) => file),
    root,
  )
  await using top = await emptyDirectory(directory)
  for (const [index, name] of names.entries()) {
    // Whoever can rename things in it leads nobody out of it.
    const parent = openBeneath(`/proc/self/fd/${top.fd}`, dirname(name), { create: 'directory', mode: 0o700 })
    try {
      const path = `/proc/self/fd/${parent.fd}/${posix.basename(name)}`
      await using file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
      await file.writeFile(files[index]?.text ?? '')
    } finally {
      parent.close()
    }
  }
  return names
}

/** A directory in which there is nothing, made if it is not there. Throws USAGE for anything else. */
async function emptyDirectory(directory: string) {
  const refused = (why: string, cause?: unknown): TspodError =>
    new TspodError('USAGE', `cannot write to ${directory}: ${why}`, {
      remedy: 'name a directory that does not exist, in one that does',
      ...(cause !== undefined && { cause }),
    })
  await mkdir(directory, { mode: 0o700 }).catch(error => {
    if (isMissing(error)) throw refused('there is no such directory to make it in', error)
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  })
  const opened = await open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(error => {
    throw refused('it is no directory', error)
  })
  const names = await readdir(`/proc/self/fd/${opened.fd}`)
  if (names.length === 0) return opened
  await opened.close()
  throw refused('it is not empty')
}
