/** `--filter KEY=VALUE` of the lists: Podman's keys, with Podman's meaning and complaints. */
import type { ListedContainer, ListedPod } from '../engine/index.ts'
import { TspodError } from '../errors.ts'
import {
  badPattern,
  badTime,
  type Filters,
  hasLabel,
  passesAll,
  pattern,
  problemsOf,
  type Rules,
  timeOf,
} from './filter-rules.ts'
import type { Problem } from './flags.ts'
import { CONTAINER_STATES, containerState, POD_STATES, restartPolicyName } from './podman-words.ts'

export type ContainerRow = { pod: ListedPod; container: ListedContainer }

/** What a filter may look at besides the row. */
type Surroundings = { pods: readonly ListedPod[]; nowMs: number }

const CONTAINER_RULES: Rules<ContainerRow, Surroundings> = {
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

const POD_RULES: Rules<ListedPod, Surroundings> = {
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

/** Hexadecimal digits are the beginning of an id, anything else is a pattern (containers/common, FilterID). */
const idMatches = (id: string, value: string): boolean =>
  /[^0-9a-fA-F]/.test(value) ? pattern(value).test(id) : id.startsWith(value.toLowerCase())

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
