/**
 * Podman's Quadlet files of the kind `.kube`, as units of ours: a manifest, an options file and a drop-in. Every key
 * that cannot be kept is named, at its place. Keys as in podman-systemd.unit(5). Pure.
 */
import { optionOf } from './kube-options.ts'
import { quotedWord, readUnitFile, type UnitFileIssue, withoutSpecifiers, wordsOf } from './unit-file.ts'

export type Imported = {
  /** The name of the unit: the file's, without its ending. */
  name: string
  /** Absolute paths of the manifests, in order. */
  manifests: string[]
  /** For NAME.conf; empty when there is nothing to say. */
  options: string
  /** What adds to the template for this unit; empty when there is nothing to add. */
  dropIn: string
  /** What is not kept, or is another thing here. */
  issues: UnitFileIssue[]
}

/** Keys whose effect is here in another way, or of which there is none; why. */
const REMAP = 'write UserNS= instead'
const NOT_KEPT: Readonly<Record<string, string>> = {
  RemapUsers: REMAP,
  RemapUid: REMAP,
  RemapGid: REMAP,
  RemapUidSize: REMAP,
  AutoUpdate: 'images are not updated by a timer; `tspod systemd reload` after a pull takes new ones',
  ContainersConfModule: 'modules of containers.conf are not read',
  ServiceName: 'the unit is always tspod-kube@NAME.service',
}

/** In [Service] of a `.kube` file; the template has its own. */
const TEMPLATE_HAS: readonly string[] = [
  'Type',
  'NotifyAccess',
  'ExecStart',
  'ExecStop',
  'ExecStopPost',
  'Delegate',
  'RemainAfterExit',
]
const SYSTEMD_SECTIONS: readonly string[] = ['Unit', 'Service', 'Install']
const HEADER = '# From '

/** Reads a `.kube` file that lies at the absolute path `file`. */
export function importKube(text: string, file: string): Imported {
  if (/\p{C}/u.test(file)) {
    // Paths below it would be lines of their own in what is written.
    const issue = { file: printed(file), line: 1, column: 1, message: 'the path holds a control character' }
    return { name: '', manifests: [], options: '', dropIn: '', issues: [issue] }
  }
  const folder = file.slice(0, file.lastIndexOf('/'))
  const name = file.slice(folder.length + 1).replace(/\.kube$/, '')
  const resolve = (path: string): string => (path.startsWith('/') ? path : `${folder}/${path.replace(/^\.\//, '')}`)
  const { sections, issues } = readUnitFile(text, file)
  const found: Findings = {
    resolve,
    issues,
    manifests: [],
    options: [],
    systemd: new Map(),
    workingDirectory: undefined,
  }
  for (const { name: section, line, assignments } of sections) {
    for (const each of assignments) {
      const { key, value, column } = each
      const isOurs = section === 'Kube'
      if (!isOurs && !SYSTEMD_SECTIONS.includes(section)) continue
      const why = isOurs ? takeKey(found, key, value) : takeSystemd(found, section, key, value)
      const shown = isOurs ? key : `${section}.${key}`
      if (why !== undefined) issues.push({ file, line: each.line, column, message: `${shown}= is not kept: ${why}` })
    }
    if (section !== 'Kube' && !SYSTEMD_SECTIONS.includes(section)) {
      const why = section === 'Quadlet' ? 'the unit waits for the network like any other' : 'it means nothing here'
      issues.push({ file, line, column: 1, message: `[${section}] is not kept: ${why}` })
    }
  }
  if (found.manifests.length === 0)
    issues.push({ file, line: 1, column: 1, message: 'no Yaml= in [Kube]: nothing is imported' })
  const directory = workingDirectory(found, folder)
  if (directory !== undefined) lines(found, 'Service').push(`WorkingDirectory=${directory.replaceAll('%', '%%')}`)
  const dropIn = [...found.systemd].map(([section, all]) => `[${section}]\n${all.join('\n')}\n`).join('\n')
  return {
    name,
    manifests: found.manifests,
    options: found.options.length === 0 ? '' : `${HEADER}${printed(file)}\n[Kube]\n${found.options.join('\n')}\n`,
    dropIn: dropIn === '' ? '' : `${HEADER}${printed(file)}\n${dropIn}`,
    issues,
  }
}

type Findings = {
  resolve(path: string): string
  issues: UnitFileIssue[]
  manifests: string[]
  options: string[]
  systemd: Map<string, string[]>
  workingDirectory: string | undefined
}

/** A comment is one line. */
const printed = (text: string): string => text.replace(/\p{C}/gu, '?')

function lines({ systemd }: Findings, section: string): string[] {
  const known = systemd.get(section) ?? []
  systemd.set(section, known)
  return known
}

/** Takes over one key of [Kube]; answers why it is not kept, when it is not. */
function takeKey(found: Findings, key: string, value: string): string | undefined {
  const { text, specifiers } = withoutSpecifiers(value)
  if (specifiers.length > 0) return `${specifiers.join(', ')} is not expanded here: write the text itself`
  switch (key) {
    case 'Yaml':
      if (/^[a-z]+:\/\//i.test(text)) return 'a manifest from a URL is not fetched at every start'
      found.manifests.push(found.resolve(text))
      return undefined
    case 'SetWorkingDirectory':
      if (text !== 'yaml' && text !== 'unit') return 'want yaml or unit'
      found.workingDirectory = text
      return undefined
    case 'GlobalArgs':
      return takeGlobalArgs(found, text)
    case 'ConfigMap':
      return keep(found, key, escaped(found.resolve(text)))
    case 'Network':
      if (/\.network(:|$)/.test(text)) return 'networks that Quadlet makes are unknown here: name one that exists'
      return keep(found, key, value)
    default:
      return Object.hasOwn(NOT_KEPT, key) ? NOT_KEPT[key] : keep(found, key, value)
  }
}

/** Keeps a key that an options file knows as well. */
function keep({ options, resolve }: Findings, key: string, value: string): string | undefined {
  const option = value === '' ? {} : optionOf(key, value, resolve)
  if (typeof option === 'string') return option.startsWith(`${key}= `) ? 'no such key in [Kube]' : option
  options.push(`${key}=${value}`)
  return undefined
}

function takeGlobalArgs({ options }: Findings, text: string): string | undefined {
  const words = wordsOf(text)
  if (typeof words === 'string') return words
  const [first = '', second] = words
  const runtime =
    /^--runtime=(.+)$/.exec(first)?.[1] ?? (first === '--runtime' && words.length === 2 ? second : undefined)
  if (runtime === undefined) return "there is only --runtime of Podman's own flags; set others in PodmanArgs="
  options.push(`PodmanArgs=${quotedWord(`--runtime=${escaped(runtime)}`)}`)
  return undefined
}

/** Takes over one key that is for systemd; answers why it is not kept, when it is not. */
function takeSystemd(found: Findings, section: string, key: string, value: string): string | undefined {
  if (section === 'Service' && TEMPLATE_HAS.includes(key)) return 'the unit has its own'
  if (section === 'Service' && key === 'KillMode') return 'containers are stopped by tspod (KillMode=process)'
  if (section === 'Unit' && /\.(container|kube|network|pod|volume|build|image)\b/.test(value)) {
    return "names of Quadlet's other files are unknown here: name the unit"
  }
  const all = lines(found, section)
  // The template's own must not be added to.
  if (section === 'Install' && all.length === 0) all.push('WantedBy=')
  all.push(`${key}=${value}`)
  return undefined
}

/** Relative paths in a manifest begin there. */
function workingDirectory(
  { workingDirectory: wish, manifests: [manifest] }: Findings,
  folder: string,
): string | undefined {
  if (wish === 'unit') return folder
  if (wish !== 'yaml' || manifest === undefined) return undefined
  return manifest.slice(0, manifest.lastIndexOf('/')) || '/'
}

/** Text in a value where a percent sign begins a specifier. */
const escaped = (text: string): string => text.replaceAll('%', '%%')
