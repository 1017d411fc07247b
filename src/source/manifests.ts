/**
 * Which files of a source are its manifests. Pure: names in, names out.
 *
 * Files that end in .yaml, .yml or .json, in the order of their names. Left out are hidden files, the values of a Helm
 * chart (values.yaml, values-NAME.yaml), what .tspodignore names, and without `recursive` all of the subdirectories.
 * With it, subdirectories that are hidden, that are a Helm chart, or that have a kustomization of their own are left
 * out, the last two with a note. A kustomization in the directory itself decides alone.
 */
import { posix } from 'node:path'

/** Names of the file that kustomize looks for, in its order. */
export const KUSTOMIZATIONS = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']
/** Patterns of what is no manifest: a line each, `*` is anything but a slash, `#` begins a comment. */
export const IGNORE_FILE = '.tspodignore'

const MANIFEST = /\.(?:ya?ml|json)$/i
const VALUES = /^values(?:[-.].*)?\.ya?ml$/

export type Selection = {
  manifests: string[]
  /** Set when there is one in the directory itself; then `manifests` is empty. */
  kustomization?: string
  notes: string[]
}

/** A file name that may be one of a manifest, wherever it lies. */
export const mayBeManifest = (name: string): boolean =>
  MANIFEST.test(name) && !name.startsWith('.') && !VALUES.test(name) && !KUSTOMIZATIONS.includes(name)

/** The manifests among `files`, whose names are relative to the directory that holds them. */
export function selectManifests(files: readonly string[], recursive: boolean, ignore = ''): Selection {
  const names = new Set(files)
  const kustomization = KUSTOMIZATIONS.find(name => names.has(name))
  if (kustomization !== undefined) return { manifests: [], kustomization, notes: [] }
  if (names.has('Chart.yaml'))
    return { manifests: [], notes: ['it is a Helm chart: commit what `helm template` makes'] }
  const ignored = ignorePatterns(ignore)
  const verdicts = new Map<string, Verdict>()
  const notes = new Set<string>()
  const manifests = files.filter(file => {
    if (!mayBeManifest(posix.basename(file)) || ignored.some(isIgnored => isIgnored(file))) return false
    const directory = posix.dirname(file)
    if (directory === '.') return true
    if (!recursive) return false
    const verdict = judgeDirectory(directory, names, verdicts)
    if (typeof verdict === 'string' && verdict !== '') notes.add(verdict)
    return verdict === true
  })
  return { manifests: manifests.sort(), notes: [...notes].sort() }
}

/** True where manifests count, else why not: nothing to say of a hidden one. */
type Verdict = string | true

function judgeDirectory(directory: string, names: ReadonlySet<string>, verdicts: Map<string, Verdict>): Verdict {
  if (directory === '.') return true
  const known = verdicts.get(directory)
  if (known !== undefined) return known
  const parent = judgeDirectory(posix.dirname(directory), names, verdicts)
  const verdict = parent === true ? judgeOne(directory, names) : parent
  verdicts.set(directory, verdict)
  return verdict
}

function judgeOne(directory: string, names: ReadonlySet<string>): Verdict {
  if (posix.basename(directory).startsWith('.')) return ''
  if (names.has(`${directory}/Chart.yaml`)) return `${directory} is a Helm chart and was left out`
  if (!KUSTOMIZATIONS.some(name => names.has(`${directory}/${name}`))) return true
  return `${directory} has a kustomization of its own and was left out: make it the path of a source`
}

/** As in .gitignore: a pattern with a slash in it is from the top, one without matches at any depth. */
function ignorePatterns(text: string): ((file: string) => boolean)[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
    .slice(0, MAX_PATTERNS)
    .map(line => {
      const parts = line.split('/').filter(part => part !== '')
      const anywhere = parts.length === 1 && !line.startsWith('/')
      return file => {
        const path = file.split('/')
        if (anywhere) return path.some(name => matches(parts[0] ?? '', name))
        return parts.length <= path.length && parts.every((part, index) => matches(part, path[index] ?? ''))
      }
    })
}

const MAX_PATTERNS = 100

/** A pattern with stars, in linear time whatever somebody wrote: every piece is taken where it comes first. */
function matches(pattern: string, name: string): boolean {
  const pieces = pattern.split('*')
  const [first = '', last = ''] = [pieces[0], pieces.at(-1)]
  if (pieces.length === 1) return pattern === name
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false
  let at = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at)
    if (found < 0 || found + piece.length > name.length - last.length) return false
    at = found + piece.length
  }
  return true
}
