/** `$(VAR)` in commands, arguments and values of variables. */
import type { EnvEntry, FileKey, RuntimeField } from '../../model.ts'
import { divideUp, emptyRecord, parseQuantity } from '../yaml/index.ts'

/**
 * Expands one text as the kubelet does: `$(NAME)` of a known name becomes its value, of an unknown one stays,
 * `$$` becomes `$` and so protects what follows; an unclosed `$(` and every other `$` stay.
 */
export function expandText(text: string, lookup: (name: string) => string | undefined): string {
  let result = ''
  let from = 0
  for (let at = text.indexOf('$'); at !== -1; at = text.indexOf('$', from)) {
    result += text.slice(from, at)
    const next = text[at + 1]
    const close = next === '(' ? text.indexOf(')', at + 2) : -1
    if (next === '$') {
      result += '$'
      from = at + 2
    } else if (close !== -1) {
      result += lookup(text.slice(at + 2, close)) ?? text.slice(at, close + 1)
      from = close + 1
    } else {
      // An unclosed `$(` keeps both characters, and what follows is looked at again.
      result += next === '(' ? '$(' : '$'
      from = at + (next === '(' ? 2 : 1)
    }
  }
  return result + text.slice(from)
}

/**
 * The complete environment of a container. A value may refer to variables of `base` and to those before it.
 *
 * `base` is what is there already (of the image, and tspod's own). `runtime` gives the facts that only exist with
 * the pod: texts as they are, `limits.cpu` and `limits.memory` as quantities (cores, bytes), which are divided
 * here by the entry's divisor and rounded up. `file` gives what an env file has, undefined where it has nothing and
 * need not.
 */
export function expandEnv(
  entries: readonly EnvEntry[],
  base: Record<string, string>,
  runtime: (field: RuntimeField) => string,
  file: (key: FileKey) => string | undefined,
): Record<string, string> {
  const env = emptyRecord<string>()
  for (const [name, value] of Object.entries(base)) env[name] = value
  for (const entry of entries) {
    if ('file' in entry) {
      const value = file(entry.file)
      if (value !== undefined) env[entry.name] = value
    } else if ('runtime' in entry) env[entry.name] = runtimeValue(entry, runtime)
    else env[entry.name] = entry.expand ? expandText(entry.text, name => env[name]) : entry.text
  }
  return env
}

/** Words of a command or of arguments with `$(VAR)` expanded from the complete environment. */
export function expandWords(words: readonly string[], env: Record<string, string>): string[] {
  return words.map(word => expandText(word, name => (Object.hasOwn(env, name) ? env[name] : undefined)))
}

/** The text of a runtime value, from `runtime` as in `expandEnv`: of limits the divided amount, rounded up. */
export function runtimeValue(
  entry: { runtime: RuntimeField; divisor?: string },
  runtime: (field: RuntimeField) => string,
): string {
  const value = runtime(entry.runtime)
  if (!entry.runtime.startsWith('limits.')) return value
  const amount = parseQuantity(value)
  const divisor = parseQuantity(entry.divisor ?? '1')
  if (amount === undefined || divisor === undefined) throw new Error(`not a quantity: ${value}`)
  return `${divideUp(amount, divisor)}`
}
