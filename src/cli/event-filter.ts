/** `--filter KEY=VALUE` of events: Podman's keys, and some of ours. */

import type { EventView } from '../engine/index.ts'
import { groupFilters } from './filter-rules.ts'
import type { Problem } from './flags.ts'

type Test = (event: EventView, value: string) => boolean

const named =
  (...kinds: EventView['kind'][]): Test =>
  (event, value) =>
    kinds.includes(event.kind) && isNamed(event, value)

const isNamed = ({ name, object }: EventView, value: string): boolean =>
  name === value || (value !== '' && object.startsWith(value))

const isAction: Test = ({ action }, value) => action === value

const TESTS: { readonly [key: string]: Test } = {
  container: named('container'),
  pod: named('pod'),
  image: named('image'),
  volume: named('volume'),
  secret: named('secret'),
  name: isNamed,
  event: isAction,
  status: isAction,
  type: ({ kind }, value) => kind === value,
  reason: ({ reason }, value) => reason === value,
  label: ({ labels }, value) => {
    const [key = '', wanted] = value.split(/=(.*)/s)
    return Object.hasOwn(labels, key) && (wanted === undefined || labels[key] === wanted)
  },
}

/** What is wrong with filters, in Podman's words. */
export function eventFilterProblems(texts: readonly string[]): Problem[] {
  return texts.flatMap(text => {
    const key = text.split('=')[0] ?? ''
    if (text.includes('=') && Object.hasOwn(TESTS, key.toLowerCase())) return []
    const remedy = `write KEY=VALUE with one of ${Object.keys(TESTS).join(', ')}`
    return [{ message: `${text.includes('=') ? key : text} is an invalid filter`, remedy }]
  })
}

/** The test for events: one value of each key must fit, of labels all. */
export function eventFilter(texts: readonly string[]): (event: EventView) => boolean {
  const groups = [...groupFilters(texts)].map(([key, values]) => ({ key: key.toLowerCase(), values }))
  return event =>
    groups.every(({ key, values }) => {
      const fits = (value: string): boolean => TESTS[key]?.(event, value) ?? false
      return key === 'label' ? values.every(fits) : values.some(fits)
    })
}
