/** What people are shown without anything that came from a Secret. Pure. */
import type { ContainerSpec, EnvEntry, PodSpec, ProjectedFile } from '../model.ts'

const HIDDEN = '(secret)'

const usesAny = (text: string, names: ReadonlySet<string>): boolean =>
  [...text.matchAll(/\$\(([^)]*)\)/g)].some(([, name]) => names.has(name ?? ''))

/** The variables whose values come from a Secret, or are made of one that does: `$(PASSWORD)` in a later entry. */
function secretNames(entries: readonly EnvEntry[]): ReadonlySet<string> {
  const names = new Set<string>()
  for (const entry of entries) {
    const isMade = 'text' in entry && entry.expand && usesAny(entry.text, names)
    if (entry.secret || isMade) names.add(entry.name)
    else names.delete(entry.name)
  }
  return names
}

/** The variables a container was given; the values of those that hold a secret are hidden. */
export function visibleEnv(env: readonly string[], entries: readonly EnvEntry[]): string[] {
  const hidden = secretNames(entries)
  return env.map(line => {
    const name = line.slice(0, Math.max(0, line.indexOf('=')))
    return hidden.has(name) ? `${name}=${HIDDEN}` : line
  })
}

/**
 * The command of a container, in which a word of the manifest that holds a secret stands as the manifest has it:
 * `--token=$(TOKEN)`. Words of the image stand between those of `command` and `args`, if anywhere.
 */
export function visibleCommand(command: readonly string[], spec: ContainerSpec | undefined): string[] {
  const { command: first = [], args: last = [], env = [] } = spec ?? {}
  const hidden = secretNames(env)
  const wordAt = (at: number): string | undefined => first[at] ?? last[at - (command.length - last.length)]
  return command.map((word, at) => {
    const written = wordAt(at)
    return written !== undefined && usesAny(written, hidden) ? written : word
  })
}

/** Shorter than that, a value is no secret, and the text would be full of holes. */
const SHORTEST = 4

/** What a program said about a container, without values that came from a Secret, also where it quoted them. */
export function withoutSecrets(text: string, entries: readonly EnvEntry[]): string {
  const values = entries.flatMap(entry => (entry.secret && 'text' in entry ? [entry.text] : []))
  const forms = [...values, ...values.map(value => JSON.stringify(value).slice(1, -1))]
  const longestFirst = forms.filter(form => form.length >= SHORTEST).sort((a, b) => b.length - a.length)
  return longestFirst.reduce((shown, form) => shown.replaceAll(form, HIDDEN), text)
}

/** The spec without anything that came from a Secret. */
export function redacted(spec: PodSpec): PodSpec {
  const hide = (entry: EnvEntry): EnvEntry => (entry.secret && 'text' in entry ? { ...entry, text: HIDDEN } : entry)
  const hideIn = <T extends { env: EnvEntry[] }>(container: T): T => ({ ...container, env: container.env.map(hide) })
  const hideFile = (file: ProjectedFile, all: boolean): ProjectedFile =>
    all || 'secret' in file ? { ...file, base64: HIDDEN } : file
  return {
    ...spec,
    initContainers: spec.initContainers.map(hideIn),
    containers: spec.containers.map(hideIn),
    volumes: spec.volumes.map(volume =>
      volume.kind === 'files'
        ? { ...volume, files: volume.files.map(file => hideFile(file, volume.source === 'secret')) }
        : volume,
    ),
  }
}
