/**
 * A kustomization, built by the kustomize or kubectl of this host. It runs on a copy of the files and on nothing else:
 * bases on other hosts, plugins and commands do not work there.
 */
import { realpathSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { confined } from '../confine.ts'
import { isTspodError, type TspodError } from '../errors.ts'
import { removeTree } from '../files.ts'
import { FIXED_PATH, type Finished } from '../process.ts'
import { findProgramIn } from '../programs.ts'
import { randomHex } from '../random.ts'
import { isEncrypted } from './decrypt.ts'
import { decryptFailure, empty, renderFailure } from './failure.ts'
import { KUSTOMIZATIONS } from './manifests.ts'
import { type KeptTree, writeTree } from './store.ts'
import type { SourceDoors } from './types.ts'

type File = { file: string; text: string }
/** `directory` is the source's own. */
type Doors = Pick<SourceDoors, 'run' | 'directory' | 'searchPath' | 'signal'>

const TIMEOUT_MS = 30_000
/** What is on another host, as kustomize takes it. */
const REMOTE = /^\s*-\s*['"]?((?:https?|ssh|git|file):\/\/|git::|git@|github\.com\/|[\w.-]+\.[a-z]{2,}\/\S*\?ref=)\S*/m

/**
 * The objects that `kustomization` (a path in the tree) makes, a file each, named after the kustomization, the object,
 * and where it can be told, the file that the object is from. Throws SOURCE_RENDER and SOURCE_EMPTY.
 */
export async function render(tree: KeptTree, kustomization: string, where: string, doors: Doors): Promise<File[]> {
  const tool = toolFor(where, kustomization, doors.searchPath ?? FIXED_PATH)
  const directory = join(doors.directory, `.render-${randomHex(6)}`)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  try {
    await writeTree(join(directory, 'files'), tree, { durable: false })
    const base = posix.join('/files', posix.dirname(kustomization))
    const argv = confined(directory, tool.program, [tool.verb, base])
    const finished = await doors.run({ argv, timeoutMs: TIMEOUT_MS }, doors.signal)
    if (finished.exitCode !== 0) throw notBuilt(tree, kustomization, where, finished)
    return objectsOf(finished.stdout, tree, kustomization, where)
  } catch (error) {
    if (!isTspodError(error, 'COMMAND_TIMEOUT') && !isTspodError(error, 'COMMAND_FAILED')) throw error
    throw renderFailure(`${where}: ${kustomization}: ${error.message}`, 'make it smaller: kustomize build has to end', {
      cause: error,
    })
  } finally {
    await removeTree(directory)
  }
}

function toolFor(where: string, kustomization: string, path: string): { program: string; verb: string } {
  const tools = [
    ['kustomize', 'build'],
    ['kubectl', 'kustomize'],
  ] as const
  for (const [name, verb] of tools) {
    const program = findProgramIn(path, name)
    if (program !== undefined) return { program: realpathSync(program), verb }
  }
  throw renderFailure(
    `${where}: ${kustomization} has to be built, and neither kustomize nor kubectl is on this host`,
    'install kustomize 4 or newer, in /usr/local/bin for example, or commit what `kustomize build` makes',
  )
}

function notBuilt(tree: KeptTree, kustomization: string, where: string, finished: Finished): TspodError {
  const details = { details: finished.stderr.trim() }
  const remote = remoteBase(tree)
  if (remote !== undefined) {
    return renderFailure(
      `${where}: ${remote.file} names ${remote.url}, and nothing is fetched for a kustomization`,
      'copy it into the repository',
      details,
    )
  }
  const told =
    finished.stderr
      .trim()
      .split('\n')
      .findLast(line => !line.startsWith('#')) ?? ''
  const why = told.replace(/^error: /i, '').replaceAll('/files/', '') || `it ended with code ${finished.exitCode}`
  return renderFailure(
    `${where}: ${kustomization} cannot be built: ${why}`,
    'see the same with: kustomize build',
    details,
  )
}

function remoteBase({ contents }: KeptTree): { file: string; url: string } | undefined {
  for (const [file, bytes] of contents) {
    if (!KUSTOMIZATIONS.includes(posix.basename(file))) continue
    const line = REMOTE.exec(bytes.toString('utf8'))?.[0]
    if (line !== undefined) return { file, url: line.replace(/^[\s\-'"]+/, '').replace(/['"]$/, '') }
  }
  return undefined
}

/** The documents of the output, whose form is always the same: two spaces, sorted keys. */
function objectsOf(output: string, tree: KeptTree, kustomization: string, where: string): File[] {
  const texts = output
    .split(/^---$/m)
    .map(text => text.replace(/^\n/, ''))
    .filter(text => text.trim() !== '')
  if (texts.length === 0) {
    throw empty(
      `${where}: ${kustomization} makes no object`,
      'nothing was changed; to remove everything, remove the source',
    )
  }
  const sources = namesIn(tree)
  return texts.map(text => {
    const { kind, name } = nameOf(text)
    const from = fileOf(sources, kind, name)
    const file = `${kustomization}#${kind}/${name}${from === undefined ? '' : ` (${from})`}`
    if (!isEncrypted({ file, text })) return { file, text }
    throw decryptFailure(
      `${where}: ${file} is encrypted with SOPS, and what kustomize has touched cannot be decrypted`,
      'keep encrypted objects in a directory without a kustomization, as a source of its own',
    )
  })
}

function nameOf(text: string): { kind: string; name: string } {
  const kind = /^kind: ["']?([^\s"']+)/m.exec(text)?.[1] ?? 'object'
  const metadata = /^metadata:\n((?: .*\n?)*)/m.exec(text)?.[1] ?? ''
  return { kind, name: /^ {2}name: ["']?([^\s"']+)/m.exec(metadata)?.[1] ?? 'without-a-name' }
}

type Named = { file: string; kind: string; name: string }

/** What the files of the tree seem to define: good enough for a message. */
function namesIn({ contents }: KeptTree): Named[] {
  return [...contents].flatMap(([file, bytes]) => {
    if (!/\.ya?ml$/.test(file) || KUSTOMIZATIONS.includes(posix.basename(file))) return []
    return bytes
      .toString('utf8')
      .split(/^---/m)
      .flatMap(text => {
        const kind = /(?:^ {0,2}|[{,] *)"?kind"?:\s*["']?(\w+)/m.exec(text)?.[1]
        const name = /\bname"?:\s*["']?((?:[\w.-]|\$\{[^\s}]*\})+)/.exec(text)?.[1]
        return kind === undefined || name === undefined ? [] : [{ file, kind, name }]
      })
  })
}

/** A name may have got a prefix and a suffix: the longest that is left of it counts, when only one file has it. */
function fileOf(sources: readonly Named[], kind: string, name: string): string | undefined {
  const fitting = sources.filter(source => source.kind === kind && name.includes(source.name))
  const longest = Math.max(...fitting.map(source => source.name.length))
  const files = new Set(fitting.filter(source => source.name.length === longest).map(({ file }) => file))
  return files.size === 1 ? [...files][0] : undefined
}
