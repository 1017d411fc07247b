/** Every kind of volume that Kubernetes has: it becomes one here, or is refused by name with what to do instead. */
import { describe, expect, test } from '@jest/globals'
import { support } from '../../../src/kube/index.ts'
import { fieldsOf } from '../../../src/kube/schema/schema.ts'
import { detailsOf, issuesOf, podOf } from './world.ts'

const CONFIG = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: v}\n---\n'
const SECRET = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: v}\n---\n'
const text = (volume: object): string =>
  `${CONFIG}${SECRET}${JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'busybox' }], volumes: [{ name: 'v', ...volume }] },
  })}`

/** How each honoured kind is written, and what it becomes. */
const ITEM = { items: [{ path: 'n', fieldRef: { fieldPath: 'metadata.name' } }] }
const KINDS: Record<string, [source: object, kind: string]> = {
  hostPath: [{ path: '/srv' }, 'hostPath'],
  emptyDir: [{}, 'emptyDir'],
  configMap: [{ name: 'c' }, 'files'],
  secret: [{ secretName: 's' }, 'files'],
  downwardAPI: [ITEM, 'files'],
  projected: [{ sources: [{ configMap: { name: 'c' } }] }, 'files'],
  image: [{ reference: 'busybox' }, 'image'],
  persistentVolumeClaim: [{ claimName: 'data' }, 'claim'],
  ephemeral: [{ volumeClaimTemplate: { spec: {} } }, 'claim'],
}
const PROJECTIONS: Record<string, object> = { configMap: { name: 'c' }, secret: { name: 's' }, downwardAPI: ITEM }

const verdicts = new Map(support().map(row => [row.path, row]))
const namesOf = (type: string): string[] => [...(fieldsOf(type)?.keys() ?? [])].filter(name => name !== 'name')

/** The mistakes with a refused source: one, at its name, with the remedy of the table. */
function expectRefusal(path: string, type: string, volume: object): void {
  const field = path.split('.').at(-1)
  const { note } = verdicts.get(`${type}.${field}`) ?? {}
  expect(note).toMatch(/\w{3}/)
  expect(issuesOf(text(volume))).toEqual([expect.stringMatching(/NOT_SUPPORTED spec\.volumes\[0\]\./)])
  expect(detailsOf(text(volume))).toContain(`spec.volumes[0].${path}\n`)
  expect(detailsOf(text(volume))).toContain(`\n   ${field} is not yet supported; ${note}`)
}

describe('a volume of kind', () => {
  for (const name of namesOf('Volume')) {
    const honoured = KINDS[name]
    if (honoured === undefined) test(`${name} is refused`, () => expectRefusal(name, 'Volume', { [name]: {} }))
    else
      test(`${name} is one`, () => {
        const [volume] = podOf(text({ [name]: honoured[0] })).volumes
        expect(volume).toMatchObject({ name: 'v', kind: honoured[1] })
      })
  }

  test('that Kubernetes does not have is an unknown field', () => {
    expect(issuesOf(text({ emptyDirs: {} }))).toContainEqual(expect.stringContaining('UNKNOWN_FIELD'))
  })
})

describe('a projected source of kind', () => {
  for (const name of namesOf('VolumeProjection')) {
    const honoured = PROJECTIONS[name]
    const projected = (source: object) => ({ projected: { sources: [{ [name]: source }] } })
    if (honoured === undefined)
      test(`${name} is refused`, () => expectRefusal(`projected.sources[0].${name}`, 'VolumeProjection', projected({})))
    else
      test(`${name} is files`, () => {
        const [volume] = podOf(text(projected(honoured))).volumes
        expect(volume).toMatchObject({ kind: 'files', files: [expect.anything()] })
      })
  }
})
