/** Changes of an image's configuration, in the words of a Dockerfile. Pure. */
import { TspodError } from '../../errors.ts'
import type { ConfigPart } from '../../oci/index.ts'

type Change = (config: ConfigPart, text: string) => ConfigPart

/** The instructions that make sense for an image that is there already. */
const CHANGES: { readonly [instruction: string]: Change } = {
  CMD: (config, text) => ({ ...config, Cmd: words(text) }),
  ENTRYPOINT: (config, text) => ({ ...config, Entrypoint: words(text) }),
  ENV: (config, text) => {
    const { key, value } = pair(text)
    const others = strings(config.Env).filter(entry => !entry.startsWith(`${key}=`))
    return { ...config, Env: [...others, `${key}=${value}`] }
  },
  EXPOSE: (config, text) => ({
    ...config,
    ExposedPorts: { ...object(config.ExposedPorts), ...flags(text.split(/\s+/).map(withProtocol)) },
  }),
  LABEL: (config, text) => {
    const { key, value } = pair(text)
    return { ...config, Labels: { ...object(config.Labels), [key]: value } }
  },
  STOPSIGNAL: (config, text) => ({ ...config, StopSignal: text }),
  USER: (config, text) => ({ ...config, User: text }),
  VOLUME: (config, text) => ({ ...config, Volumes: { ...object(config.Volumes), ...flags(list(text)) } }),
  WORKDIR: (config, text) => ({ ...config, WorkingDir: text }),
}

/** Applies one change, `INSTRUCTION value` or `INSTRUCTION=value`. @throws USAGE for what is not understood. */
export function applyChange(config: ConfigPart, change: string): ConfigPart {
  const [, instruction = '', text = ''] = /^\s*([A-Za-z]+)(?:\s+|=)(.*\S)\s*$/s.exec(change) ?? []
  const apply = Object.hasOwn(CHANGES, instruction.toUpperCase()) ? CHANGES[instruction.toUpperCase()] : undefined
  if (apply === undefined) throw notUnderstood(change)
  return apply(config, text)
}

const notUnderstood = (change: string): TspodError =>
  new TspodError('USAGE', `invalid change "${change}"`, {
    remedy: `write INSTRUCTION value, with one of ${Object.keys(CHANGES).join(', ')}`,
  })

/** Of the image, for its containers: nothing is run by it here. */
const SHELL_OF_IMAGE = '/bin/sh -c'.split(' ')

/** A JSON list as it is; anything else is a line for the shell. */
function words(text: string): string[] {
  return jsonList(text) ?? [...SHELL_OF_IMAGE, text]
}

const list = (text: string): string[] => jsonList(text) ?? text.split(/\s+/)

function jsonList(text: string): string[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    return Array.isArray(parsed) && parsed.every(word => typeof word === 'string') ? parsed : undefined
  } catch {
    return undefined
  }
}

/** `KEY=value`, with or without quotes around the value, or `KEY value`. */
function pair(text: string): { key: string; value: string } {
  const [, key, value] = /^([^\s=]+)(?:=|\s+)(.*)$/s.exec(text) ?? []
  if (key === undefined || value === undefined) throw notUnderstood(text)
  return { key, value: /^(".*"|'.*')$/s.test(value) ? value.slice(1, -1) : value }
}

const withProtocol = (port: string): string => (port.includes('/') ? port : `${port}/tcp`)
const flags = (names: readonly string[]): Record<string, object> => Object.fromEntries(names.map(name => [name, {}]))
const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : []
const object = (value: unknown): object => (typeof value === 'object' && value !== null ? value : {})
