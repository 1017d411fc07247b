/** User namespaces: `hostUsers`, Podman's annotation and `--userns`. */
import { TspodError } from '../../errors.ts'
import type { IdRange, UsernsSpec } from '../../model.ts'
import { readSettings } from '../metadata.ts'
import type { Field } from '../yaml/index.ts'
import { quote } from '../yaml/index.ts'

const ANNOTATION = 'io.podman.annotations.userns'
/** As many ids as the kubelet gives to a pod: all that images commonly use. */
const POD_IDS = 65_536
/** One below is what (uid_t) -1 stands for: nobody. */
const MAX_IDS = 2 ** 32 - 1
const REMEDY = 'use auto, auto:size=NUMBER, host or ns:PATH'

/** What one mode asks for: undefined is the host's, a text what is wrong with it. */
type Parsed = UsernsSpec | undefined | string

/** The user namespace of a pod: what the annotation says (a flag is one, too), or else `hostUsers`, as in Podman. */
export function readUserns(
  { name, metadata, spec }: { name: string; metadata: Field; spec: Field },
  extra: Record<string, string>,
): UsernsSpec | undefined {
  const hostUsers = spec.at('hostUsers').boolean() ?? true
  if (!hostUsers) refuseHostNamespaces(spec)
  let wanted: UsernsSpec | undefined = hostUsers ? undefined : auto()
  for (const { subject, text, complain } of readSettings(metadata, extra, ANNOTATION)) {
    if (subject !== '' && subject !== name) continue
    const parsed = parse(text)
    if (typeof parsed === 'string') complain('INVALID_VALUE', parsed, REMEDY)
    else wanted = parsed
  }
  return wanted
}

/** As Kubernetes validates it. */
function refuseHostNamespaces(spec: Field): void {
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) {
    if (spec.at(field).boolean() !== true) continue
    spec.at(field).issue('FORBIDDEN', 'when `hostUsers` is false', `remove ${field}, or hostUsers`)
  }
}

/** The annotation that `--userns` stands for; none without the flag. @throws USAGE in Podman's words. */
export function usernsAnnotation(flag: string | undefined): Record<string, string> {
  if (flag === undefined) return {}
  const parsed = parse(flag)
  if (typeof parsed === 'string') throw new TspodError('USAGE', parsed, { remedy: `for --userns ${REMEDY}` })
  return { [ANNOTATION]: flag }
}

const auto = (): UsernsSpec & { mode: 'auto' } => ({ mode: 'auto', count: POD_IDS, uids: [], gids: [] })

function parse(text: string): Parsed {
  const colon = text.indexOf(':')
  const [mode, rest] = colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)]
  switch (mode) {
    case '':
    case 'host':
      return rest === undefined ? undefined : unknown(text)
    case 'private':
      return rest === undefined ? auto() : unknown(text)
    case 'auto':
      return rest === undefined ? auto() : parseAuto(rest)
    case 'nomap':
    case 'keep-id':
      return `${mode} is only supported in rootless mode`
    case 'ns':
      return rest?.startsWith('/') ? { mode: 'path', path: rest } : 'ns: needs an absolute path'
    default:
      return unknown(text)
  }
}

const unknown = (text: string): string => `unrecognized namespace mode ${text} passed`

function parseAuto(options: string): Parsed {
  const spec = auto()
  for (const option of options.split(',')) {
    const equals = option.indexOf('=')
    if (equals < 0) return `invalid option specified: ${quote(option)}`
    const [key, value] = [option.slice(0, equals), option.slice(equals + 1)]
    if (key === 'size') {
      const count = /^\d{1,10}$/.test(value) ? Number(value) : 0
      if (count < 1 || count > MAX_IDS) return `invalid size ${quote(value)}: a number of ids`
      spec.count = count
    } else if (key === 'uidmapping' || key === 'gidmapping') {
      const range = parseRange(value)
      if (range === undefined) return `${key} ${quote(value)} is malformed: expected CONTAINER_ID:HOST_ID:SIZE`
      const ranges = key === 'uidmapping' ? spec.uids : spec.gids
      if (ranges.some(other => overlap(other, range))) return `${key} ${quote(value)} overlaps another`
      ranges.push(range)
    } else return `unknown option specified: ${quote(key)}`
  }
  return spec
}

function parseRange(text: string): IdRange | undefined {
  const [, ...numbers] = /^(\d{1,10}):(\d{1,10}):(\d{1,10})$/.exec(text) ?? []
  const [inside = 0, outside = 0, count = 0] = numbers.map(Number)
  const ends = Math.max(inside, outside) + count
  return numbers.length === 3 && count > 0 && ends <= MAX_IDS ? { inside, outside, count } : undefined
}

/** The kernel wants both sides of a mapping to be one to one. */
const overlap = (a: IdRange, b: IdRange): boolean =>
  (a.inside < b.inside + b.count && b.inside < a.inside + a.count) ||
  (a.outside < b.outside + b.count && b.outside < a.outside + a.count)
