/**
 * What a scalar means in a field of a given type. YAML 1.1 as Kubernetes' parser has it: `yes` is a boolean where
 * a boolean is wanted and a word elsewhere, `0644` is octal, and a bare number is not a string.
 */
import type { YamlNode } from './read.ts'

const NULL = /^(?:|~|null|Null|NULL)$/
const TRUE = /^(?:true|True|TRUE|y|Y|yes|Yes|YES|on|On|ON)$/
const FALSE = /^(?:false|False|FALSE|n|N|no|No|NO|off|Off|OFF)$/
const STRICT_BOOLEAN = /^(?:true|True|TRUE|false|False|FALSE)$/
const DECIMAL = /^[-+]?(?:0|[1-9][0-9_]*)$/
const OCTAL = /^([-+]?)0o?([0-7_]+)$/
const HEX = /^([-+]?)0x([0-9a-fA-F_]+)$/
const BINARY = /^([-+]?)0b([01_]+)$/
const FLOAT = /^[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?$/
const SPECIAL_FLOAT = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/

/** True for a missing value: an empty plain scalar, `~` or `null`. */
export function isNull(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.tag !== 'str' && node.plain && NULL.test(node.text)
}

/** What an untyped reader would take the scalar for. */
export function kindOf(node: YamlNode): 'null' | 'boolean' | 'number' | 'string' | 'map' | 'list' {
  if (node.kind !== 'scalar') return node.kind
  if (node.tag === 'str' || !node.plain) return 'string'
  if (NULL.test(node.text)) return 'null'
  if (STRICT_BOOLEAN.test(node.text)) return 'boolean'
  const numeric = [DECIMAL, OCTAL, HEX, BINARY, FLOAT, SPECIAL_FLOAT].some(pattern => pattern.test(node.text))
  return numeric ? 'number' : 'string'
}

/** The string of a scalar that is one, else undefined. */
export function asString(node: YamlNode): string | undefined {
  return node.kind === 'scalar' && kindOf(node) === 'string' ? node.text : undefined
}

/** true or false of a plain scalar, else undefined. */
export function asBoolean(node: YamlNode): boolean | undefined {
  if (node.kind !== 'scalar' || !node.plain || node.tag === 'str') return undefined
  if (TRUE.test(node.text)) return true
  return FALSE.test(node.text) ? false : undefined
}

/** True for `yes`, `no`, `on`, `off`, `y` and `n`: words here, and booleans to the parser of Kubernetes. */
export function isDoubtfulWord(node: YamlNode): boolean {
  return node.kind === 'scalar' && kindOf(node) === 'string' && asBoolean(node) !== undefined
}

/** The whole number of a plain scalar, else undefined. Numbers beyond 2^53 are not exact and so refused. */
export function asInteger(node: YamlNode): number | undefined {
  if (node.kind !== 'scalar' || !node.plain || node.tag === 'str') return undefined
  const value = integerOf(node.text)
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined
}

/** The text of a quantity: a string, or a number as it is written. */
export function asQuantityText(node: YamlNode): string | undefined {
  const kind = kindOf(node)
  if (node.kind !== 'scalar' || (kind !== 'string' && kind !== 'number')) return undefined
  if (kind === 'string' || FLOAT.test(node.text)) return node.text
  const value = asInteger(node)
  return value === undefined ? undefined : `${value}`
}

function integerOf(text: string): number | undefined {
  if (DECIMAL.test(text)) return Number(text.replaceAll('_', ''))
  for (const [pattern, base] of [
    [OCTAL, 8],
    [HEX, 16],
    [BINARY, 2],
  ] as const) {
    const match = pattern.exec(text)
    if (match !== null) return (match[1] === '-' ? -1 : 1) * Number.parseInt((match[2] ?? '').replaceAll('_', ''), base)
  }
  // `3e2` and `3.0` are whole numbers to a JSON decoder only in the first form; neither is worth a surprise.
  return undefined
}
