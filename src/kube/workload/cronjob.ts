/** CronJob: checked like a Job, with its schedule. A later release runs it. */

import { readLabels, readName, readNamespace } from '../metadata.ts'
import type { PodContext } from '../pod/index.ts'
import type { Field } from '../yaml/index.ts'
import { either, quote } from '../yaml/index.ts'
import { readJobSpec } from './job.ts'

/** What Kubernetes allows, so that a time stamp fits behind it. */
const MAX_NAME = 52

const DESCRIPTORS = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
/** The five fields, in order, as Kubernetes' cron library bounds them. */
const FIELDS: readonly { name: string; least: number; most: number; names?: readonly string[] }[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: MONTHS },
  { name: 'day of the week', least: 0, most: 6, names: DAYS },
]

/** Checks a CronJob document. Nothing comes of it yet but what is wrong with it, and a note. */
export function checkCronJob(document: Field, context: PodContext): void {
  const name = readName(document)
  const metadata = document.at('metadata')
  if (name.length > MAX_NAME)
    metadata.at('name').issue('TOO_LONG', `must be no more than ${MAX_NAME} characters`, 'shorten it')
  const spec = document.at('spec')
  const schedule = spec.at('schedule')
  const problem = schedule.string() === undefined ? undefined : scheduleProblem(schedule.string() ?? '')
  if (problem !== undefined) schedule.issue('INVALID_VALUE', `${quote(schedule.string() ?? '')}: ${problem}`)
  checkTimeZone(spec.at('timeZone'))
  spec.at('concurrencyPolicy').oneOf(['Allow', 'Forbid', 'Replace'], 'Allow')
  for (const limit of ['startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit']) {
    const field = spec.at(limit)
    if ((field.integer() ?? 0) < 0) field.issue('INVALID_VALUE', 'must be greater than or equal to 0')
  }
  const template = spec.at('jobTemplate')
  readLabels(template.at('metadata').at('labels'))
  readJobSpec({ document, name, namespace: readNamespace(metadata), spec: template.at('spec') }, context)
  document.at('kind').note('schedules are run by a later release; until then, play a Job')
}

/** What is wrong with a schedule; undefined when Kubernetes would take it. */
export function scheduleProblem(schedule: string): string | undefined {
  const text = schedule.trim()
  if (/^(CRON_)?TZ=/.test(text)) return 'a time zone is not part of the schedule: use timeZone'
  if (text.startsWith('@every ')) {
    return /^@every (?:\d+(?:\.\d+)?(?:h|m|s|ms|us|ns))+$/.test(text)
      ? undefined
      : 'write a time such as 1h30m after @every'
  }
  if (text.startsWith('@')) return DESCRIPTORS.includes(text) ? undefined : `use ${either(DESCRIPTORS)}`
  const parts = text.split(/\s+/).filter(Boolean)
  if (parts.length !== FIELDS.length) return `has ${parts.length} fields and needs 5: minute hour day month weekday`
  for (const [index, field] of FIELDS.entries()) {
    const bad = (parts[index] ?? '').split(',').find(part => !isRange(part, field))
    if (bad !== undefined)
      return `${quote(bad)} is no ${field.name}: from ${field.least} to ${field.most}, with * , - /`
  }
  return undefined
}

/** `*`, `N`, `A-B`, each with `/STEP`; names where the field has some. */
function isRange(text: string, { least, most, names = [] }: (typeof FIELDS)[number]): boolean {
  const [range = '', step, ...more] = text.split('/')
  if (more.length > 0 || (step !== undefined && !/^[1-9]\d{0,3}$/.test(step))) return false
  if (range === '*' || range === '?') return true
  const numberOf = (word: string): number => {
    const named = names.indexOf(word.toLowerCase())
    return named >= 0 ? named + least : /^\d{1,2}$/.test(word) ? Number(word) : Number.NaN
  }
  const [from = '', to = from, ...others] = range.split('-')
  const [a, b] = [numberOf(from), numberOf(to)]
  return others.length === 0 && a >= least && b <= most && a <= b
}

function checkTimeZone(field: Field): void {
  const zone = field.string()
  if (zone === undefined) return
  try {
    if (zone.toLowerCase() !== 'local' && zone !== '') {
      new Intl.DateTimeFormat('en', { timeZone: zone })
      return
    }
  } catch {
    // Said below.
  }
  field.issue('INVALID_VALUE', `no time zone is called ${quote(zone)}`, 'use a name such as Europe/Berlin or Etc/UTC')
}
