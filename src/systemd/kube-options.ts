/**
 * The options of a unit: a file in the syntax of units with one section, [Kube], whose keys are those of Quadlet's
 * `.kube` files. They become flags of `kube play` and `kube down`. Pure. docs/adr/0011-units.md says why.
 */
import { closest, either } from '../words.ts'
import { booleanValue, readUnitFile, type UnitFileIssue, withoutSpecifiers, wordsOf } from './unit-file.ts'

export type KubeOptions = {
  /** Arguments for `kube play`, in the order of the file. */
  play: string[]
  /** `kube down --force`. */
  force: boolean
}

type Taken = { play?: readonly string[]; force?: boolean } | string
type Reader = (value: string, resolve: (path: string) => string) => Taken

const flag =
  (name: string): Reader =>
  value => ({ play: [`--${name}=${value}`] })

const PROPAGATION = ['none', 'any', 'all']

/** What each key stands for: arguments, or what is wrong with the value. */
const KEYS: Readonly<Record<string, Reader>> = {
  ConfigMap: (value, resolve) => ({ play: [`--configmap=${resolve(value)}`] }),
  ExitCodePropagation: value =>
    PROPAGATION.includes(value)
      ? { play: [`--service-exit-code-propagation=${value}`] }
      : `want ${either(PROPAGATION)}`,
  KubeDownForce: value => {
    const force = booleanValue(value)
    return force === undefined ? 'want true or false' : { force }
  },
  LogDriver: flag('log-driver'),
  Network: flag('network'),
  PodmanArgs: value => {
    const words = wordsOf(value)
    return typeof words === 'string' ? words : { play: words }
  },
  PublishPort: flag('publish'),
  UserNS: flag('userns'),
}

/** The keys that an options file may have. */
export const OPTION_KEYS: readonly string[] = Object.keys(KEYS)

/** Reads one assignment's value; a string says what is wrong with it. `resolve` makes a path absolute. */
export function optionOf(key: string, value: string, resolve: (path: string) => string): Taken {
  const reader = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined
  if (reader === undefined) return `${key}= is no option`
  const { text, specifiers } = withoutSpecifiers(value)
  if (specifiers.length > 0) return `${specifiers.join(', ')} is not expanded here: write the text itself, and %% for %`
  return reader(text, resolve)
}

/** Reads an options file; `resolve` makes the paths in it absolute. An empty value takes earlier ones of its key back. */
export function readKubeOptions(
  text: string,
  file: string,
  resolve: (path: string) => string,
): { options: KubeOptions; issues: UnitFileIssue[] } {
  const { sections, issues } = readUnitFile(text, file)
  const taken: { key: string; option: Exclude<Taken, string> }[] = []
  for (const section of sections) {
    if (section.name !== 'Kube') {
      const remedy = 'only [Kube] is read; what is for systemd belongs in a drop-in: systemctl edit UNIT'
      issues.push({ file, line: section.line, column: 1, message: `unknown section [${section.name}]`, remedy })
      continue
    }
    for (const { key, value, line, column } of section.assignments) {
      if (!Object.hasOwn(KEYS, key)) {
        const close = closest(key, OPTION_KEYS)
        const remedy = close === undefined ? `use one of ${OPTION_KEYS.join(', ')}` : `did you mean ${close}=?`
        issues.push({ file, line, column, message: `unknown key ${key}=`, remedy })
      } else if (value === '') {
        taken.splice(0, taken.length, ...taken.filter(each => each.key !== key))
      } else {
        const option = optionOf(key, value, resolve)
        if (typeof option === 'string') issues.push({ file, line, column, message: `${key}=${value}: ${option}` })
        else taken.push({ key, option })
      }
    }
  }
  const play = taken.flatMap(({ option }) => option.play ?? [])
  return {
    options: { play, force: taken.findLast(({ option }) => option.force !== undefined)?.option.force === true },
    issues,
  }
}
