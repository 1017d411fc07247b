/**
 * Text in the names of units, both ways, as systemd-escape(1) does it. Pure.
 * An instance is one line of letters, digits and `:_.-\`: nothing in it can end a directive or begin another.
 */
import { TspodError } from '../errors.ts'

/** The longest name that systemd takes, with its suffix, in bytes. */
const MAX_UNIT_NAME = 255
const PLAIN = /^[A-Za-z0-9:_.]$/

/** `systemd-escape TEXT`: a slash becomes a dash, every byte that a unit's name cannot hold becomes `\xNN`. */
export function escapeName(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte, index) => {
      const character = String.fromCharCode(byte)
      if (character === '/') return '-'
      if (PLAIN.test(character) && !(character === '.' && index === 0)) return character
      return `\\x${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
}

/** `systemd-escape --unescape NAME`. Throws USAGE for what escaping cannot have made. */
export function unescapeName(name: string): string {
  const bytes: number[] = []
  for (const [part] of name.matchAll(/\\x[0-9a-fA-F]{2}|./gsu)) {
    if (part === '-') bytes.push(0x2f)
    else if (part.length === 4) bytes.push(Number.parseInt(part.slice(2), 16))
    else if (part === '\\') throw badInstance(name, 'holds a backslash that is not \\x and two digits')
    else bytes.push(...Buffer.from(part, 'utf8'))
  }
  if (bytes.includes(0)) throw badInstance(name, 'stands for a text with a NUL in it')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes))
  } catch {
    throw badInstance(name, 'stands for bytes that are not UTF-8')
  }
}

/** `systemd-escape --path PATH`, for an absolute path without `..`: doubled and last slashes do not count. */
export function escapePath(path: string): string {
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  if (!path.startsWith('/') || parts.includes('..')) {
    throw new TspodError('USAGE', `"${path}" is no absolute path without ".."`, { remedy: 'write it out: realpath' })
  }
  return parts.length === 0 ? '-' : escapeName(parts.join('/'))
}

/** `systemd-escape --unescape --path NAME`. Throws USAGE for what escaping a path cannot have made. */
export function unescapePath(name: string): string {
  if (name === '-') return '/'
  const text = unescapeName(name)
  const isPath = text.split('/').every(part => !['', '.', '..'].includes(part))
  if (!isPath) throw badInstance(name, 'stands for no path')
  return `/${text}`
}

/** `PREFIX@INSTANCE.service`. Throws USAGE for a name that systemd would refuse as too long. */
export function instanceUnit(prefix: string, instance: string): string {
  const unit = `${prefix}@${instance}.service`
  if (unit.length <= MAX_UNIT_NAME) return unit
  const short = instance.length > 60 ? `${instance.slice(0, 60)}…` : instance
  throw new TspodError(
    'USAGE',
    `the name of the unit for "${short}" would have ${unit.length} characters, and systemd takes ${MAX_UNIT_NAME}`,
    { remedy: 'link the manifest to a short name: ln -s FILE /etc/tspod/kube/NAME.yaml' },
  )
}

const badInstance = (name: string, why: string): TspodError =>
  new TspodError('USAGE', `the instance "${name}" ${why}`, { remedy: 'make it with systemd-escape' })
