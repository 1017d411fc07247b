/** Names, labels and annotations of objects. */
import { TspodError } from '../errors.ts'
import {
  didYouMean,
  either,
  emptyRecord,
  type Field,
  type IssueCode,
  labelProblem,
  labelValueProblem,
  qualifiedProblem,
  quote,
  subdomainProblem,
} from './yaml/index.ts'

const MAX_ANNOTATION_BYTES = 256 * 1024

/** Annotations of Podman that change how something runs: they would be missed if they did nothing. */
const PODMAN_REFUSED = [
  'io.podman.annotations.autoremove',
  'io.podman.annotations.init',
  'io.podman.annotations.kube.image.automount',
  'io.podman.annotations.kube.image.volumes.mount',
  'io.podman.annotations.publish-all',
]
/** Annotations of Podman that concern Podman's own commands only. */
const PODMAN_ACCEPTED = [
  'io.containers.autoupdate',
  'io.containers.autoupdate.authfile',
  'io.podman.annotations.infra.name',
  'bind-mount-options',
  // What `podman inspect` shows; the fields of securityContext are what counts.
  'io.podman.annotations.apparmor',
  'io.podman.annotations.cid-file',
  'io.podman.annotations.privileged',
  'io.podman.annotations.seccomp',
]
/** Those that are acted upon: in podman.ts, sdnotify.ts, and where pods and volumes are read. */
const PODMAN_HONOURED = [
  'io.containers.sdnotify',
  'io.podman.annotations.cpuset',
  'io.podman.annotations.init.container.type',
  'io.podman.annotations.label',
  'io.podman.annotations.memory-nodes',
  'io.podman.annotations.pids-limit',
  'io.podman.annotations.ulimit',
  'io.podman.annotations.userns',
  'io.podman.annotations.volumes-from',
]
const PODMAN_KNOWN = [...PODMAN_REFUSED, ...PODMAN_ACCEPTED, ...PODMAN_HONOURED]
/** Annotations of our own. */
const TSPOD_KNOWN = [
  'io.tspod.app',
  'io.tspod.depends-on',
  'io.tspod.drift',
  'io.tspod.on-config-change',
  'io.tspod.prune',
  'io.tspod.runtime',
  'io.tspod.wave',
]
/** Every annotation of Podman and of tspod that changes anything. A manifest may come from anywhere: no other does. */
export const ACTED_UPON: readonly string[] = [...PODMAN_HONOURED, ...TSPOD_KNOWN]
/** Values that ask for what happens anyway. */
const PODMAN_HARMLESS: Record<string, readonly string[]> = {
  'io.podman.annotations.autoremove': ['FALSE'],
  'io.podman.annotations.init': ['FALSE'],
  'io.podman.annotations.publish-all': ['FALSE'],
}

/** Checks `metadata.name` of a document and returns it; empty when it is missing or not text. */
export function readName(document: Field): string {
  const field = document.at('metadata').at('name')
  const name = field.string() ?? ''
  if (!field.present || field.string() === '') {
    if (document.at('metadata').at('generateName').present) return ''
    field.issue('REQUIRED', `a ${document.at('kind').string() ?? 'document'} must have a name`, 'add metadata.name')
    return ''
  }
  const problem = name === '' ? undefined : subdomainProblem(name)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(name)} ${problem}`)
  return problem === undefined ? name : ''
}

/** Checks `metadata.namespace` and returns it, `default` when there is none. */
export function readNamespace(metadata: Field): string {
  const field = metadata.at('namespace')
  const name = field.string() ?? ''
  if (name === '') return 'default'
  const problem = labelProblem(name)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(name)} ${problem}`)
  return name
}

/** Checks and returns the labels of a metadata or selector map. */
export function readLabels(labels: Field): Record<string, string> {
  for (const [key, value] of labels.entries()) {
    const keyProblem = qualifiedProblem(key)
    if (keyProblem !== undefined) value.issueAt(value.key, 'INVALID_VALUE', `the key ${quote(key)} ${keyProblem}`)
    const text = value.string()
    const valueProblem = text === undefined ? undefined : labelValueProblem(text)
    if (valueProblem !== undefined) value.issue('INVALID_VALUE', `${quote(text ?? '')} ${valueProblem}`)
  }
  return labels.stringMap()
}

/**
 * Checks and returns the annotations with `extra` (of --annotation) on top. Those that Podman or old Kubernetes
 * versions act upon are refused or noted.
 */
export function readAnnotations(metadata: Field, extra: Record<string, string>): Record<string, string> {
  const field = metadata.at('annotations')
  let bytes = 0
  for (const [key, value] of field.entries()) {
    const problem = qualifiedProblem(key.toLowerCase())
    if (problem !== undefined) value.issueAt(value.key, 'INVALID_VALUE', `the key ${quote(key)} ${problem}`)
    bytes += key.length + (value.string() ?? '').length
    judgeKnown(key, value)
  }
  if (bytes > MAX_ANNOTATION_BYTES) {
    field.issue(
      'TOO_LONG',
      `annotations of ${bytes} characters, and ${MAX_ANNOTATION_BYTES} are allowed`,
      'use a ConfigMap',
    )
  }
  const annotations = emptyRecord<string>()
  for (const [key, value] of Object.entries(field.stringMap())) annotations[key] = value
  for (const [key, value] of Object.entries(extra)) annotations[key] = value
  return annotations
}

function judgeKnown(key: string, value: Field): void {
  const base = key.split('/')[0] ?? key
  if (base.startsWith('io.tspod.') && !TSPOD_KNOWN.includes(base)) {
    const remedy = didYouMean(base, TSPOD_KNOWN) ?? 'remove it'
    value.issueAt(value.key, 'UNKNOWN_FIELD', `no annotation of tspod is called ${quote(base)}`, remedy)
  }
  if (key === 'io.tspod.on-config-change') value.oneOf(['restart', 'none'], 'restart')
  if (PODMAN_ACCEPTED.includes(base)) value.note('it concerns commands of Podman only')
  if (/^io\.(?:podman|containers)\./.test(base) && !PODMAN_KNOWN.includes(base)) {
    const meant = didYouMean(base, PODMAN_KNOWN)
    value.note(`no annotation of Podman is called so${meant === undefined ? '' : `; ${meant}`}`)
  }
  if (!PODMAN_REFUSED.includes(base)) return
  const harmless = Object.hasOwn(PODMAN_HARMLESS, base) ? (PODMAN_HARMLESS[base] ?? []) : []
  if (harmless.includes(value.string() ?? '')) return
  const remedy = `remove it${harmless.length > 0 ? `, or set it to ${either(harmless.filter(Boolean))}` : ''}`
  value.issueAt(value.key, 'NOT_SUPPORTED', `the annotation ${quote(key)} is not yet supported`, remedy)
}

/** One annotation that steers tspod: `subject` is what stands behind the slash of its key, empty without one. */
export type Setting = {
  subject: string
  text: string
  /** Reports a mistake at the annotation; throws USAGE for one of --annotation, which has no place. */
  complain: (code: IssueCode, message: string, remedy: string) => void
  /** Says that it has no effect, and why. */
  note: (text: string) => void
}

/** The annotations named `base` or `base/SUBJECT`, those of --annotation (`extra`) in the place of the manifest's. */
export function readSettings(metadata: Field, extra: Record<string, string>, base: string): Setting[] {
  const isWanted = (key: string): boolean => key === base || key.startsWith(`${base}/`)
  const subject = (key: string): string => key.slice(base.length + 1)
  const written = metadata
    .at('annotations')
    .entries()
    .filter(([key]) => isWanted(key) && !Object.hasOwn(extra, key))
    .map(([key, value]) => ({
      subject: subject(key),
      text: value.string() ?? '',
      complain: value.issue.bind(value),
      note: value.note.bind(value),
    }))
  const flagged = Object.entries(extra)
    .filter(([key]) => isWanted(key))
    .map(([key, text]) => ({ subject: subject(key), text, complain: refuseFlag(`${key}=${text}`), note: ignore }))
  return [...written, ...flagged]
}

/** Whoever gave a flag knows what else there is. */
const ignore = (): void => undefined

const refuseFlag =
  (flag: string): Setting['complain'] =>
  (_, message, remedy) => {
    throw new TspodError('USAGE', `--annotation ${flag}: ${message}`, { remedy })
  }
