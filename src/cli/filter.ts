/** `--filter KEY=VALUE` of the lists: Podman's keys, with Podman's meaning and complaints. */
import type { ListedContainer, ListedPod } from '../engine/index.ts'
import { TspodError } from '../errors.ts'
import type { Problem } from './flags.ts'
import { CONTAINER_STATES, containerState, POD_STATES, restartPolicyName } from './podman-words.ts'
import { parseSince } from './since.ts'

export type ContainerRow = { pod: ListedPod; container: ListedContainer }

/** What a filter may look at besides the row. */
type Surroundings = { pods: readonly ListedPod[]; nowMs: number }

type Rule<Row> = {
  /** What is wrong with a value, in Podman's words; undefined when nothing is. */
  wrong?(value: string): string | undefined
  /** True for the rows that any of the values lets through. */
  passes(row: Row, values: readonly string[], around: Surroundings): boolean
}

type Rules<Row> = { readonly [key: string]: Rule<Row> }

export type Filters = ReadonlyMap<string, readonly string[]>

/** The values by key: several of one key are alternatives (but for labels), several keys must all let a row through. */
export function groupFilters(texts: readonly string[]): Filters {
  const groups = new Map<string, string[]>()
  for (const text of texts) {
    const [key = '', value = ''] = text.split(/=(.*)/s)
    groups.set(key, [...(groups.get(key) ?? []), value])
  }
  return groups
}

const CONTAINER_RULES: Rules<ContainerRow> = {
  id: { wrong: badPattern, passes: ({ container }, values) => values.some(value => idMatches(container.id, value)) },
  name: {
    wrong: badPattern,
    passes: ({ container }, values) => values.some(value => pattern(value.replaceAll('/', '')).test(container.name)),
  },
  label: { passes: ({ pod }, values) => values.every(value => hasLabel(pod.labels, value)) },
  'label!': { passes: ({ pod }, values) => !values.some(value => hasLabel(pod.labels, value)) },
  status: {
    wrong: value =>
      CONTAINER_STATES.some(state => state === value)
        ? undefined
        : `unknown container state: ${value}: invalid argument`,
    passes: ({ container }, values) => values.some(value => sameState(containerState(container), value)),
  },
  exited: {
    wrong: value => (/^-?\d{1,10}$/.test(value) ? undefined : `exited code out of range ${JSON.stringify(value)}`),
    passes: ({ container }, values) =>
      containerState(container) === 'exited' && values.some(value => Number(value) === container.exitCode),
  },
  ancestor: {
    passes: ({ container }, values) => values.some(value => imageMatches(container.image, container.imageId, value)),
  },
  before: {
    passes: ({ container }, values, { pods }) =>
      container.createdMs < Math.min(...values.map(value => createdOf(pods, value))),
  },
  since: {
    passes: ({ container }, values, { pods }) =>
      container.createdMs > Math.min(...values.map(value => createdOf(pods, value))),
  },
  until: {
    wrong: badTime,
    passes: ({ container }, values, { nowMs }) => values.every(value => container.createdMs < timeOf(value, nowMs)),
  },
  pod: {
    passes: ({ pod }, values) =>
      pod.kind === 'pod' && values.some(value => pod.name === value || idMatches(pod.id, value)),
  },
  network: { passes: ({ pod }, values) => pod.networks.some(network => values.includes(network)) },
  volume: {
    passes: ({ container }, values) =>
      container.mounts.some(({ volume, path }) =>
        values.some(value => value === volume || value === path || value === `${volume}:${path}`),
      ),
  },
  'restart-policy': {
    wrong: value =>
      ['always', 'on-failure', 'no', 'none', 'unless-stopped', ''].includes(value)
        ? undefined
        : `${value} invalid restart policy`,
    passes: ({ pod, container }, values) => {
      const policy = restartPolicyName(container.restartPolicy ?? pod.restartPolicy)
      return values.some(value => policy === (value === 'none' || value === '' ? 'no' : value))
    },
  },
  command: {
    wrong: badPattern,
    passes: ({ container }, values) => values.some(value => pattern(value).test(container.command[0] ?? '')),
  },
}

const POD_RULES: Rules<ListedPod> = {
  id: { wrong: badPattern, passes: (pod, values) => values.some(value => idMatches(pod.id, value)) },
  name: { wrong: badPattern, passes: (pod, values) => values.some(value => pattern(value).test(pod.name)) },
  label: { passes: (pod, values) => values.every(value => hasLabel(pod.labels, value)) },
  'label!': { passes: (pod, values) => !values.some(value => hasLabel(pod.labels, value)) },
  status: {
    wrong: value =>
      POD_STATES.some(state => state.toLowerCase() === value) ? undefined : `${value} is not a valid pod status`,
    passes: (pod, values) => values.includes(pod.state.toLowerCase()),
  },
  until: {
    wrong: badTime,
    passes: (pod, values, { nowMs }) => values.every(value => pod.createdMs < timeOf(value, nowMs)),
  },
  network: { passes: (pod, values) => pod.networks.some(network => values.includes(network)) },
  'ctr-ids': {
    wrong: badPattern,
    passes: (pod, values) => pod.containers.some(({ id }) => values.some(value => idMatches(id, value))),
  },
  'ctr-names': {
    wrong: badPattern,
    passes: (pod, values) => pod.containers.some(({ name }) => values.some(value => pattern(value).test(name))),
  },
  'ctr-number': { passes: (pod, values) => values.some(value => Number(value) === pod.containers.length) },
  'ctr-status': {
    wrong: value => (CONTAINER_STATES.some(state => state === value) ? undefined : `${value} is not a valid status`),
    passes: (pod, values) =>
      pod.containers.some(container => values.some(value => sameState(containerState(container), value))),
  },
}

function problemsOf<Row>(rules: Rules<Row>, texts: readonly string[], malformed: (text: string) => string): Problem[] {
  return texts.flatMap(text => {
    const [key = '', value] = text.split(/=(.*)/s)
    if (value === undefined) return [{ message: malformed(text), remedy: 'write KEY=VALUE, for example name=web' }]
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
    if (rule === undefined)
      return [{ message: `${key} is an invalid filter`, remedy: `filters are ${Object.keys(rules).join(', ')}` }]
    const wrong = rule.wrong?.(value)
    return wrong === undefined ? [] : [{ message: wrong }]
  })
}

function passesAll<Row>(rules: Rules<Row>, filters: Filters, around: Surroundings): (row: Row) => boolean {
  return row => [...filters].every(([key, values]) => rules[key]?.passes(row, values, around) ?? false)
}

/** What is wrong with the filters of `ps`. */
export const containerFilterProblems = (texts: readonly string[]): Problem[] =>
  problemsOf(CONTAINER_RULES, texts, text => `invalid filter ${JSON.stringify(text)}`)

/** What is wrong with the filters of `pod ps`. */
export const podFilterProblems = (texts: readonly string[]): Problem[] =>
  problemsOf(POD_RULES, texts, text => `filter input must be in the form of filter=value: ${text} is invalid`)

/** The test for rows of `ps`. It throws NO_SUCH_OBJECT when `before` or `since` names no container. */
export const containerFilter = (filters: Filters, around: Surroundings): ((row: ContainerRow) => boolean) =>
  passesAll(CONTAINER_RULES, filters, around)

/** The test for rows of `pod ps`. */
export const podFilter = (filters: Filters, around: Surroundings): ((pod: ListedPod) => boolean) =>
  passesAll(POD_RULES, filters, around)

const pattern = (text: string): RegExp => new RegExp(text, 'u')

function badPattern(value: string): string | undefined {
  try {
    pattern(value)
    return undefined
  } catch {
    return `invalid filter value ${JSON.stringify(value)}: no regular expression`
  }
}

/** Hexadecimal digits are the beginning of an id, anything else is a pattern (containers/common, FilterID). */
const idMatches = (id: string, value: string): boolean =>
  /[^0-9a-fA-F]/.test(value) ? pattern(value).test(id) : id.startsWith(value.toLowerCase())

/** `KEY` or `KEY=VALUE`; a key may end with `*`. */
function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', value = ''] = wanted.split(/=(.*)/s)
  return Object.entries(labels).some(([label, text]) => {
    const named = key.endsWith('*') ? label.startsWith(key.slice(0, -1)) : label === key
    return named && (value === '' || text === value)
  })
}

/** What was made without being started is `initialized` here and `created` in Podman, whose pods get no runtime then. */
function sameState(state: string, wanted: string): boolean {
  if (wanted === 'created' && state === 'initialized') return true
  return state === (wanted === 'stopped' ? 'exited' : wanted)
}

/** An id or its beginning, a full name, or one without its registry, path or tag. */
function imageMatches(image: string, imageId: string, wanted: string): boolean {
  const hex = wanted.replace(/^sha256:/, '')
  if (/^[0-9a-f]{3,64}$/.test(hex) && imageId.startsWith(hex)) return true
  const untagged = image.replace(/(@.*|:[^/:]*)$/, '')
  return [image, untagged].some(name => name === wanted || name.endsWith(`/${wanted}`))
}

function createdOf(pods: readonly ListedPod[], nameOrId: string): number {
  const containers = pods.flatMap(pod => pod.containers)
  const found =
    containers.find(({ name }) => name === nameOrId) ??
    containers.find(({ id }) => nameOrId !== '' && id.startsWith(nameOrId))
  if (found !== undefined) return found.createdMs
  throw new TspodError('NO_SUCH_OBJECT', `no container with name or ID "${nameOrId}" found: no such container`, {
    remedy: 'see what there is: tspod ps -a',
  })
}

const timeOf = (value: string, nowMs: number): number => parseSince(value, nowMs) ?? Number.NaN

function badTime(value: string): string | undefined {
  return parseSince(value, 0) === undefined
    ? `invalid filter value ${JSON.stringify(value)}: no time and no age`
    : undefined
}
