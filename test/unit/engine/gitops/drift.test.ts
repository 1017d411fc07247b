/** Objects whose drift is ignored: what counts as a change of their manifests, and what is left alone when. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { driftIgnored, unchangedIgnoring } from '../../../../src/engine/gitops/drift.ts'
import { translate } from '../../../../src/kube/index.ts'
import { bundleOf } from '../../../support/apply-world.ts'
import { type FakeWorld, fetchFailed, openWorld, pod } from './world.ts'

const IGNORE = ', annotations: {io.tspod.drift: ignore}'

describe('the manifest of an object', () => {
  const TEXT = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings${IGNORE}}
data: {mode: slow, other: same}
---
apiVersion: v1
kind: Secret
metadata: {name: keys${IGNORE}}
stringData: {password: first}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data${IGNORE}}
spec: {}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {a: b, c: d}${IGNORE}}
spec:
  containers:
  - name: main
    image: "a:1"
    env: [{name: MODE, valueFrom: {configMapKeyRef: {name: settings, key: mode}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api${IGNORE}}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: main, image: "c:1"}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once${IGNORE}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: "d:1"}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: other}
spec: {containers: [{name: main, image: "b:1"}]}
`
  const ALL = [
    'configmap/settings',
    'secret/keys',
    'persistentvolumeclaim/data',
    'pod/web',
    'deployment/api',
    'job/once',
  ]
  const cases: Record<string, [from: string, to: string, changed: string[]]> = {
    'is the same where nothing differs': ['', '', []],
    'is the same wherever it stands': ['\napiVersion', '# moved\n\napiVersion', []],
    'is the same in another order': ['{a: b, c: d}', '{c: d, a: b}', []],
    'of a pod': ['a:1', 'a:2', ['pod/web']],
    'has what it uses of a ConfigMap in it': ['mode: slow', 'mode: fast', ['configmap/settings', 'pod/web']],
    'has nothing else of a ConfigMap in it': ['other: same', 'other: new', ['configmap/settings']],
    'of a Secret': ['password: first', 'password: second', ['secret/keys']],
    'of a claim': [`{name: data`, `{labels: {a: b}, name: data`, ['persistentvolumeclaim/data']],
    'of a workload': ['c:1', 'c:2', ['deployment/api']],
    'of a Job': ['d:1', 'd:2', ['job/once']],
    'has what it says of itself as an object in it': [
      `{name: keys, annotations: {`,
      `{name: keys, annotations: {io.tspod.prune: confirm, `,
      ['secret/keys'],
    ],
    'that says so only now is a change': ['metadata: {name: other}', `metadata: {name: other${IGNORE}}`, []],
    'that says so no more is one like all others': [`{name: api${IGNORE}}`, '{name: api}', ['deployment/api']],
  }
  for (const [name, [from, to, changed]] of Object.entries(cases))
    test(name, () => {
      const now = TEXT.replace(from, to)
      expect(from === '' || now !== TEXT).toBe(true)
      expect(unchangedIgnoring(bundleOf(now), bundleOf(TEXT))).toEqual(ALL.filter(each => !changed.includes(each)))
    })

  test('that is new is not left alone', () => {
    expect(unchangedIgnoring(bundleOf(TEXT), bundleOf(pod('x')))).toEqual([])
  })
  test('says ignore or nothing', () => {
    const text = TEXT.replace('drift: ignore', 'drift: repair')
    expect(() => translate([{ file: 'a.yaml', text }], { baseDirectory: '/' })).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_INVALID',
        details: expect.stringMatching(
          /^a\.yaml:4:58 error UNSUPPORTED_VALUE metadata\.annotations\[io\.tspod\.drift\]/,
        ),
      }),
    )
  })
})

describe('a reconcile', () => {
  let fake: FakeWorld
  beforeEach(async () => {
    fake = await openWorld()
    await applied({ 'a.yaml': pod('a', 'localhost/a:1', IGNORE), 'b.yaml': pod('b') })
  })
  afterEach(() => fake.close())
  const applied = async (files: Record<string, string>): Promise<void> => {
    fake.commit(files)
    expect(await fake.tick()).toMatchObject({ outcome: 'applied' })
  }
  const running = (): string[] =>
    [...fake.world.running].map(([name, image]) => `${name} ${image.split('/')[1]}`).sort()

  test('repairs nothing of it, and everything else', async () => {
    fake.world.running.set('a', 'localhost/a:hand')
    expect(await fake.tick()).toMatchObject({ outcome: 'unchanged', reason: 'everything is as it should be' })
    fake.world.running.delete('b')
    expect(await fake.tick()).toMatchObject({ outcome: 'applied', reason: 'drift repaired: create pod/b' })
    expect(running()).toEqual(['a a:hand', 'b a:1'])
  })

  test('goes on with that while other manifests change, and brings a change of its own', async () => {
    fake.world.running.delete('a')
    await applied({ 'a.yaml': `# moved\n${pod('a', 'localhost/a:1', IGNORE)}`, 'b.yaml': pod('b', 'localhost/a:2') })
    expect(running()).toEqual(['b a:2'])
    await applied({ 'a.yaml': pod('a', 'localhost/a:2', IGNORE), 'b.yaml': pod('b', 'localhost/a:2') })
    expect(running()).toEqual(['a a:2', 'b a:2'])
  })

  test('removes it with its manifest', async () => {
    fake.world.running.set('a', 'localhost/a:hand')
    await applied({ 'b.yaml': pod('b') })
    expect(running()).toEqual(['b a:1'])
  })

  test('leaves it alone as well while the source cannot be read', async () => {
    fake.world.running.clear()
    fake.world.trouble = fetchFailed()
    await fake.tick()
    expect(running()).toEqual(['b a:1'])
  })

  test('leaves it alone after another object has failed, and brings it where itself has', async () => {
    fake.world.broken.add('b')
    fake.commit({ 'a.yaml': pod('a', 'localhost/a:1', IGNORE), 'b.yaml': pod('b', 'localhost/a:2') })
    expect(await fake.tick()).toMatchObject({ outcome: 'failed' })
    fake.world.broken.clear()
    fake.world.running.delete('a')
    await applied({ 'a.yaml': pod('a', 'localhost/a:1', IGNORE), 'b.yaml': pod('b', 'localhost/a:3') })
    expect(running()).toEqual(['b a:3'])

    // Half way: a has its second manifest, b has failed.
    await applied({ 'a.yaml': pod('a', 'localhost/a:2', IGNORE), 'b.yaml': pod('b', 'localhost/a:3') })
    fake.world.broken.add('b')
    fake.commit({ 'a.yaml': pod('a', 'localhost/a:3', IGNORE), 'b.yaml': pod('b', 'localhost/a:4') })
    expect(await fake.tick()).toMatchObject({ outcome: 'failed' })
    fake.world.broken.clear()
    expect(running()).toEqual(['a a:3', 'b a:3'])
    await applied({ 'a.yaml': pod('a', 'localhost/a:2', IGNORE), 'b.yaml': pod('b', 'localhost/a:5') })
    expect(running()).toEqual(['a a:2', 'b a:5'])
  })

  test('that was killed has left nobody knows what: it is brought to what its manifest says', async () => {
    fake.world.killedBefore = 'b'
    fake.commit({ 'a.yaml': pod('a', 'localhost/a:2', IGNORE), 'b.yaml': pod('b', 'localhost/a:2') })
    await expect(fake.tick()).rejects.toThrow('killed')
    fake.world.killedBefore = undefined
    await applied({ 'a.yaml': pod('a', 'localhost/a:1', IGNORE), 'b.yaml': pod('b', 'localhost/a:2') })
    expect(running()).toEqual(['a a:1', 'b a:2'])
  })

  test('going back leaves it alone where it is the same in both revisions', async () => {
    await applied({ 'a.yaml': pod('a', 'localhost/a:1', IGNORE), 'b.yaml': pod('b', 'localhost/a:2') })
    fake.world.running.delete('a')
    await fake.rollback()
    expect(running()).toEqual(['b a:1'])
  })

  test('its name is known without a look at the source', async () => {
    fake.world.trouble = fetchFailed()
    expect(await driftIgnored(fake.hands, await fake.source())).toEqual(['pod/a'])
  })
})
