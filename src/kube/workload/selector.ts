/** Selectors of workloads and Services: which labels they want, and whether those of a template fit. */

import { readLabels } from '../metadata.ts'
import type { Field } from '../yaml/index.ts'

/** Checks a LabelSelector against the labels of its own template; absent is left to who requires it. */
export function checkSelector(selector: Field, labels: Field): void {
  if (!selector.present) return
  const wanted = selector.at('matchLabels').entries()
  const expressions = selector.at('matchExpressions').items()
  if (wanted.length === 0 && expressions.length === 0) {
    selector.issue('INVALID_VALUE', 'an empty selector would select every pod', 'add matchLabels')
    return
  }
  readLabels(selector.at('matchLabels'))
  if (expressions.filter(wrongValues).length > 0) return
  const has = labels.stringMap()
  const failed = expressions.find(expression => !matches(expression, has))
  complain(missedLabel(wanted, has) ?? failed)
}

/** The same for the plain map of a ReplicationController. */
export function checkLabelMap(selector: Field, labels: Field): void {
  readLabels(selector)
  complain(missedLabel(selector.entries(), labels.stringMap()))
}

function missedLabel(wanted: readonly [string, Field][], has: Record<string, string>): Field | undefined {
  return wanted.find(([key, value]) => value.string() !== undefined && has[key] !== value.string())?.[1]
}

function complain(culprit: Field | undefined): void {
  culprit?.issue(
    'INVALID_VALUE',
    'the selector does not match the labels of the template',
    'make spec.template.metadata.labels fit',
  )
}

/** Reports an operator with values that it does not take, or without those that it needs. */
function wrongValues(expression: Field): boolean {
  const operator = expression.at('operator').string() ?? ''
  const values = expression.at('values')
  const given = values.items().length > 0
  if (!given && (operator === 'In' || operator === 'NotIn')) {
    values.issue('REQUIRED', `${operator} needs at least one value`, 'add it, or use Exists')
    return true
  }
  if (!given || (operator !== 'Exists' && operator !== 'DoesNotExist')) return false
  values.issueAt(values.key, 'FORBIDDEN', `${operator} takes no values`, 'remove them, or use In or NotIn')
  return true
}

function matches(expression: Field, labels: Record<string, string>): boolean {
  const key = expression.at('key').string() ?? ''
  const values = expression.at('values').strings() ?? []
  const operator = expression.at('operator').oneOf(['', 'In', 'NotIn', 'Exists', 'DoesNotExist'], '')
  const value = labels[key]
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      return true
  }
}
