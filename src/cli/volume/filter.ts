/** `--filter` of `volume ls` and `volume prune`: Podman's keys, with Podman's meaning. */
import type { VolumeView } from '../../engine/index.ts'
import {
  badPattern,
  badTime,
  groupFilters,
  hasLabel,
  passesAll,
  pattern,
  problemsOf,
  type Rules,
  timeOf,
} from '../filter-rules.ts'
import type { Problem } from '../flags.ts'

type Around = { nowMs: number }

const RULES: Rules<VolumeView, Around> = {
  name: { wrong: badPattern, passes: ({ name }, values) => values.some(value => pattern(value).test(name)) },
  label: { passes: ({ labels }, values) => values.every(value => hasLabel(labels, value)) },
  'label!': { passes: ({ labels }, values) => !values.some(value => hasLabel(labels, value)) },
  dangling: {
    wrong: value =>
      ['true', 'false', '1', '0'].includes(value) ? undefined : `${JSON.stringify(value)} is not a valid value`,
    passes: ({ pods }, values) => values.every(value => ['true', '1'].includes(value) === (pods.length === 0)),
  },
  until: {
    wrong: badTime,
    passes: ({ createdMs }, values, { nowMs }) => values.every(value => createdMs < timeOf(value, nowMs)),
  },
}

/** What is wrong with the filters of a command about volumes. */
export const volumeFilterProblems = (texts: readonly string[]): Problem[] =>
  problemsOf(RULES, texts, text => `invalid filter ${JSON.stringify(text)}`)

/** The test for volumes. */
export const volumeFilter = (texts: readonly string[], nowMs: number): ((volume: VolumeView) => boolean) =>
  passesAll(RULES, groupFilters(texts), { nowMs })
