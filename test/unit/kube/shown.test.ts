/**
 * Each honoured field is shown by a test that plays it and looks inside, or there is a reason why none can. Tests say
 * what they show: in the table of test/integration/fields, or in a comment with the word "shows:" and the fields.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { support } from '../../../src/kube/index.ts'
import { DOWN, LOOKS } from '../../integration/fields/looks.ts'
import { objectsOf, occurrencesIn } from '../../support/fields.ts'

const TESTS = join(import.meta.dirname, '../..')
const TABLE = join(TESTS, 'integration/fields')

const OBJECT = 'it says which object this is: whatever is played of it shows it'
const SCHEDULE = 'schedules are checked, and run by a later release'
const NO_MODULE = 'the machines of the tests have no such security module; that it is refused there is tested'
const CHECKED = 'it is checked, and has one value that is right'
const NO_SUCH_POD = 'no pod has such a condition on one host, which a note says'

/** Fields, or all fields of a type, that no kernel can show. */
const UNSEEN: Record<string, string> = {
  CronJob: SCHEDULE,
  CronJobSpec: SCHEDULE,
  JobTemplateSpec: SCHEDULE,
  AppArmorProfile: NO_MODULE,
  SELinuxOptions: NO_MODULE,
  'PodSecurityContext.appArmorProfile': NO_MODULE,
  'PodSecurityContext.seLinuxOptions': NO_MODULE,
  'SecurityContext.appArmorProfile': NO_MODULE,
  'SecurityContext.seLinuxOptions': NO_MODULE,
  PodFailurePolicyOnPodConditionsPattern: NO_SUCH_POD,
  'PodFailurePolicyRule.onPodConditions': NO_SUCH_POD,
  'JobSpec.managedBy': CHECKED,
  'PodSpec.os': CHECKED,
  PodOS: CHECKED,
  'ObjectFieldSelector.apiVersion': CHECKED,
  'Secret.type': 'it decides which keys the Secret must have, and that is checked',
  'ReplicationControllerSpec.selector': 'it is checked against the labels of the template, and means nothing else here',
  'StatefulSetPersistentVolumeClaimRetentionPolicy.whenScaled': 'a note says that the claims stay',
}

const honoured = support()
  .filter(({ verdict }) => verdict === 'honoured')
  .map(({ path }) => path)

const reasonFor = (path: string): string | undefined => {
  const [type = '', field = ''] = path.split('.')
  if (['apiVersion', 'kind', 'metadata', 'spec'].includes(field) && honoured.includes(`${type}.kind`)) return OBJECT
  return UNSEEN[path] ?? UNSEEN[type]
}

/** What comments of tests say they show, with the file. */
const tagged = globSync('{integration,system}/**/*.test.ts', { cwd: TESTS }).flatMap(file => {
  const text = readFileSync(join(TESTS, file), 'utf8')
  return [...text.matchAll(/\/\/ shows: (.*)/g)].flatMap(([, list = '']) =>
    list.split(' ').map(path => ({ file, path, text })),
  )
})
const looked = Object.entries(LOOKS).flatMap(([file, looks]) =>
  [...looks, ...(DOWN[file] === undefined ? [] : [DOWN[file]])].flatMap(({ shows }) =>
    shows.split(' ').map(path => ({ file, path })),
  ),
)

describe('what a test shows', () => {
  const shown = new Set([...tagged, ...looked].map(({ path }) => path))

  test('is every honoured field: these want a look in test/integration/fields, or a reason', () =>
    expect(honoured.filter(path => !shown.has(path) && reasonFor(path) === undefined)).toEqual([]))

  test('is a field that is honoured', () => {
    const known = new Set(honoured)
    expect(
      [...tagged, ...looked].filter(({ path }) => !known.has(path)).map(({ file, path }) => `${file}: ${path}`),
    ).toEqual([])
  })

  test('is set by the manifest that is looked into', () => {
    const set = new Map(
      Object.keys(LOOKS).map(file => {
        const objects = objectsOf(readFileSync(join(TABLE, file), 'utf8'))
        return [file, new Set(occurrencesIn(objects).map(({ path }) => path))]
      }),
    )
    expect(looked.filter(({ file, path }) => !set.get(file)?.has(path))).toEqual([])
  })

  test('is named in the test that has the comment', () =>
    expect(
      tagged
        .filter(({ path, text }) => text.split(path.split('.')[1] ?? '').length < 3)
        .map(({ file, path }) => `${file}: ${path}`),
    ).toEqual([]))

  test('has no reason why nothing can show it', () => {
    const types = new Set(honoured.map(path => path.split('.')[0]))
    expect(
      Object.keys(UNSEEN).filter(name => shown.has(name) || (!types.has(name) && !honoured.includes(name))),
    ).toEqual([])
  })
})
