/**
 * "Honoured" is not a claim: some golden manifest sets the field, and without it something else comes out. Each honoured
 * field is taken out of the golden manifests, one place at a time, until that shows.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { support, type TranslateOptions, translate } from '../../../src/kube/index.ts'
import { objectsOf, occurrencesIn } from '../../support/fields.ts'

const GOLDEN = join(import.meta.dirname, '../../golden/kube')

/** Honoured fields that change nothing in a translation, and why that is right. */
const CHECKED = 'it is checked, and has one value that is right'
const SCHEDULE = 'CronJobs are checked, and run by a later release'
const BY_DOWN = '`kube down` reads it: test/unit/kube/workload.test.ts'
const WITHOUT_TRACE: Record<string, string> = {
  'ReplicationControllerSpec.selector': 'it is checked against the labels of the template, and means nothing else here',
  'StatefulSetSpec.persistentVolumeClaimRetentionPolicy': BY_DOWN,
  'StatefulSetPersistentVolumeClaimRetentionPolicy.whenDeleted': BY_DOWN,
  'StatefulSetPersistentVolumeClaimRetentionPolicy.whenScaled': 'a note says that the claims stay',
  'JobSpec.managedBy': CHECKED,
  'PodFailurePolicyOnPodConditionsPattern.status': 'no pod has such a condition on one host, which a note says',
  'CronJobSpec.timeZone': SCHEDULE,
  'CronJobSpec.concurrencyPolicy': SCHEDULE,
  'CronJobSpec.startingDeadlineSeconds': SCHEDULE,
  'CronJobSpec.successfulJobsHistoryLimit': SCHEDULE,
  'CronJobSpec.failedJobsHistoryLimit': SCHEDULE,
  'CronJobSpec.suspend': SCHEDULE,
  'JobTemplateSpec.metadata': SCHEDULE,
  'PodSpec.os': CHECKED,
  'ObjectFieldSelector.apiVersion': CHECKED,
}

type Case = { text: string; options: TranslateOptions }

const cases: Case[] = readdirSync(GOLDEN)
  .filter(name => existsSync(join(GOLDEN, name, 'expected.json')))
  .map(name => {
    const given = join(GOLDEN, name, 'options.json')
    const options = existsSync(given) ? (JSON.parse(readFileSync(given, 'utf8')) as Partial<TranslateOptions>) : {}
    return {
      text: readFileSync(join(GOLDEN, name, 'input.yaml'), 'utf8'),
      options: { baseDirectory: '/b', ...options },
    }
  })

/** What a translation comes to, without the words of the manifest itself. */
function outcome(objects: unknown[], options: TranslateOptions): string {
  try {
    const text = objects.map(object => JSON.stringify(object)).join('\n---\n')
    const { manifests: _, ...bundle } = translate([{ file: 'a.yaml', text }], options).bundle
    return JSON.stringify(bundle, (key, value: unknown) => (key === 'place' ? undefined : value))
  } catch (error) {
    return `refused: ${error instanceof Error ? error.message : ''}`
  }
}

type Evidence = { set: Set<string>; shown: Set<string> }

function gather(wanted: ReadonlySet<string>): Evidence {
  const set = new Set<string>()
  const shown = new Set<string>()
  for (const { text, options } of cases) {
    const objects = objectsOf(text)
    const whole = outcome(objects, options)
    for (const { path, owner, key } of occurrencesIn(objects)) {
      set.add(path)
      if (shown.has(path) || !wanted.has(path)) continue
      const value = owner[key]
      delete owner[key]
      if (outcome(objects, options) !== whole) shown.add(path)
      if (value !== undefined) owner[key] = value
    }
  }
  return { set, shown }
}

describe('golden manifests', () => {
  const honoured = support().filter(({ verdict, later }) => verdict === 'honoured' || later)
  const paths = new Set(honoured.map(({ path }) => path))
  const { set, shown } = gather(paths)

  test('set every honoured field: these want a manifest in test/golden/kube', () =>
    expect([...paths].filter(path => !set.has(path))).toEqual([]))

  test('come to something else without it: these want a value that shows', () => {
    expect([...paths].filter(path => set.has(path) && !shown.has(path) && !Object.hasOwn(WITHOUT_TRACE, path))).toEqual(
      [],
    )
  })
  test('but for those that have a reason, and need it', () => {
    expect(Object.keys(WITHOUT_TRACE).filter(path => !paths.has(path) || shown.has(path))).toEqual([])
  })
})
