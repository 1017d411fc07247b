import { describe, expect, test } from '@jest/globals'
import { planAll } from '../../../../src/engine/apply/plan.ts'
import type { SeenPod, World } from '../../../../src/engine/apply/world.ts'
import type { ApplyRequest, PlannedObject } from '../../../../src/engine/index.ts'
import type { Bundle } from '../../../../src/model.ts'
import { bundleOf, emptyWorld, requestOf, wantedOf, worldAfter } from '../../../support/apply-world.ts'

const TEXT = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {mode: slow, other: same}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: first, user: me}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 5
  containers:
  - name: main
    image: "a:1"
    args: [serve]
    resources: {limits: {cpu: 500m, memory: 64Mi}}
    env:
    - {name: MODE, valueFrom: {configMapKeyRef: {name: settings, key: mode}}}
    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: password}}}
---
apiVersion: v1
kind: Pod
metadata: {name: db}
spec: {containers: [{name: main, image: "b:1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: main, image: "c:1"}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: "d:1"}]}}}
`

const plan = (
  text: string,
  world: World = worldAfter(bundleOf(TEXT)),
  more: Partial<ApplyRequest> = {},
): PlannedObject[] => planAll(requestOf(bundleOf(text), more), world, wantedOf).map(({ object }) => object)

/** `kind/name action effect`, of those that are not unchanged. */
const brief = (objects: readonly PlannedObject[]): string[] =>
  objects
    .filter(({ action }) => action !== 'unchanged')
    .map(({ kind, name, action, effect }) => `${kind.toLowerCase()}/${name} ${action} ${effect}`)

const one = (objects: readonly PlannedObject[], name: string): PlannedObject => {
  const found = objects.find(object => object.name === name)
  if (found === undefined) throw new Error(`no ${name} in the plan`)
  return found
}

test('nothing is there: everything is created, what is used before what uses it', () => {
  expect(brief(plan(TEXT, emptyWorld()))).toEqual([
    ...[
      'configmap/settings',
      'secret/keys',
      'persistentvolumeclaim/data',
      'pod/web',
      'pod/db',
      'deployment/api',
      'job/once',
    ].map(name => `${name} create none`),
  ])
})

test('everything is as it should be: nothing to do, wherever the documents stand now', () => {
  expect(brief(plan(TEXT))).toEqual([])
  expect(brief(plan(`# moved\n\n${TEXT}`))).toEqual([])
})

describe('a change of the manifest', () => {
  const cases: Record<
    string,
    { from: string | RegExp; to: string; brief: string[]; because?: string[]; paths?: string[] }
  > = {
    'of an image': {
      from: 'a:1',
      to: 'a:2',
      brief: ['pod/web configure restart'],
      because: ['spec.containers[main].image changed'],
      paths: ['spec.containers[main].image: a:1 -> a:2'],
    },
    'of arguments': {
      from: /args: \[serve\]/,
      to: 'args: [run], tty: false, ports: []',
      brief: ['pod/web configure restart'],
    },
    'of labels': {
      from: 'labels: {app: web}}',
      to: 'labels: {app: web, tier: front}}',
      brief: ['pod/web configure live'],
      because: ['metadata.labels.tier changed'],
    },
    'of the grace': {
      from: 'terminationGracePeriodSeconds: 5',
      to: 'terminationGracePeriodSeconds: 7',
      brief: ['pod/web configure live'],
    },
    'of limits': { from: 'cpu: 500m', to: 'cpu: 250m', brief: ['pod/web configure live'] },
    'that takes a limit away': { from: 'cpu: 500m, ', to: '', brief: ['pod/web configure restart'] },
    'of a key of a ConfigMap that a pod uses': {
      from: 'mode: slow',
      to: 'mode: fast',
      brief: ['configmap/settings configure live', 'pod/web configure restart'],
      because: ['configmap/settings data.mode changed'],
      paths: ['configmap/settings data.mode: slow -> fast'],
    },
    'of a key that no pod uses': {
      from: 'other: same',
      to: 'other: new',
      brief: ['configmap/settings configure live'],
    },
    'of a Secret, without its values': {
      from: 'password: first',
      to: 'password: second',
      brief: ['secret/keys configure live', 'pod/web configure restart'],
      because: ['secret/keys data.password changed'],
      paths: ['secret/keys data.password: undefined -> undefined'],
    },
    'of a volume': {
      from: 'metadata: {name: data}',
      to: 'metadata: {name: data, labels: {a: b}}',
      brief: ['persistentvolumeclaim/data configure live'],
    },
    'of replicas': { from: 'replicas: 2', to: 'replicas: 3', brief: ['deployment/api configure none'] },
    'to fewer replicas': { from: 'replicas: 2', to: 'replicas: 1', brief: ['deployment/api configure live'] },
    'of a template': { from: 'c:1', to: 'c:2', brief: ['deployment/api configure restart'] },
    'of a Job': { from: 'd:1', to: 'd:2', brief: ['job/once configure recreate'] },
  }
  for (const [name, { from, to, ...expected }] of Object.entries(cases)) {
    test(name, () => {
      const objects = plan(TEXT.replace(from, to.replaceAll(', ', from instanceof RegExp ? '\n    ' : ', ')))
      expect(brief(objects)).toEqual(expected.brief)
      const web = one(objects, 'web')
      if (expected.because !== undefined) expect(web.because).toEqual(expected.because)
      if (expected.paths !== undefined)
        expect(web.changes.map(({ path, before, after }) => `${path}: ${before} -> ${after}`)).toEqual(expected.paths)
      expect(JSON.stringify(objects)).not.toMatch(/first|second|Zmlyc3Q|c2Vjb25k/)
    })
  }

  test('of configuration that a pod does not want to restart for is live, and says when it counts', () => {
    const calm = TEXT.replace(
      'labels: {app: web}}',
      'labels: {app: web}, annotations: {io.tspod.on-config-change: none}}',
    )
    const world = worldAfter(bundleOf(calm))
    const web = one(plan(calm.replace('mode: slow', 'mode: fast'), world), 'web')
    expect(web).toMatchObject({ action: 'configure', effect: 'live' })
    expect(web.because.at(-1)).toBe('it goes on with the old one until its next start')
    expect(one(plan(calm.replace('a:1', 'a:2'), world), 'web').effect).toBe('restart')
  })

  test('tells how long the pod is away at most: its grace and its last start', () => {
    expect(one(plan(TEXT.replace('a:1', 'a:2')), 'web').outageMs).toBe(5000 + 2000)
  })
})

describe('what has happened to what is there', () => {
  type Change = (web: SeenPod, world: World) => void
  const cases: Record<string, { change: Change; brief: string[]; because?: string }> = {
    'a pod was stopped': {
      change: web => {
        web.record.goal = 'stopped'
      },
      brief: ['pod/web start none'],
      because: 'it was stopped',
    },
    'a container was stopped': {
      change: web => {
        web.containers[0]!.goal = 'stopped'
      },
      brief: ['pod/web start none'],
      because: 'container main was stopped',
    },
    'a pod was left half made': {
      change: web => {
        web.record.complete = false
      },
      brief: ['pod/web create none'],
      because: 'it was left half made',
    },
    'a pod was removed': {
      change: (web, world) => (world.pods as Map<string, SeenPod>).delete(web.record.name),
      brief: ['pod/web create none'],
      because: 'it is not there',
    },
    'a tag means another image': {
      change: web => (web.images as Map<string, string>).set('main', 'another'),
      brief: ['pod/web configure restart'],
      because: 'spec.containers[main].image changed',
    },
    'limits were changed by hand': {
      change: web => {
        web.settings.limits = { main: { memoryBytes: 1 } }
      },
      brief: ['pod/web configure live'],
    },
    'a limit was set by hand that the manifest knows nothing about': {
      change: web => {
        web.settings.limits = { main: { pids: 7 } }
      },
      brief: ['pod/web configure restart'],
    },
    'a Job was removed': {
      change: (_, world) => (world.jobs as Map<string, unknown>).delete('once'),
      brief: ['job/once create none'],
    },
  }
  for (const [name, expected] of Object.entries(cases)) {
    test(name, () => {
      const world = worldAfter(bundleOf(TEXT))
      expected.change(world.pods.get('web')!, world)
      const objects = plan(TEXT, world)
      expect(brief(objects)).toEqual(expected.brief)
      if (expected.because !== undefined) expect(one(objects, 'web').because).toEqual([expected.because])
    })
  }

  test('a Job that was to be removed after its time is not begun again', () => {
    const text = TEXT.replace(
      'spec: {template: {spec: {restartPolicy',
      'spec: {ttlSecondsAfterFinished: 1, template: {spec: {restartPolicy',
    )
    const world = worldAfter(bundleOf(text))
    ;(world.jobs as Map<string, unknown>).delete('once')
    expect(brief(plan(text, world))).toEqual([])
    expect(one(plan(text, world), 'once').because).toEqual(['it was done, and removed after its time'])
  })
})

describe('what the sources no longer have', () => {
  const without = (text: string): Bundle => bundleOf(text)
  const less = TEXT.replace(/apiVersion: v1\nkind: Pod\nmetadata: \{name: db\}\n.*\n---\n/, '').replace(
    /apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: .*\nspec: \{\}\n---\n/,
    '',
  )

  test('stays without --prune, goes with it, and volumes only where they are asked for', () => {
    expect(without(less).pods.map(({ name }) => name)).not.toContain('db')
    expect(brief(plan(less))).toEqual(['pod/db keep none', 'persistentvolumeclaim/data keep none'])
    expect(brief(plan(less, undefined, { prune: true }))).toEqual([
      'pod/db prune delete',
      'persistentvolumeclaim/data keep none',
    ])
    expect(brief(plan(less, undefined, { prune: true, pruneVolumes: true }))).toContain(
      'persistentvolumeclaim/data prune delete',
    )
  })

  test('stays where io.tspod.prune says so, unless somebody decides otherwise', () => {
    const marked = TEXT.replace('metadata: {name: db}', 'metadata: {name: db, annotations: {io.tspod.prune: confirm}}')
    const world = worldAfter(bundleOf(marked))
    const objects = plan(less, world, { prune: true })
    expect(one(objects, 'db').because).toContain('io.tspod.prune says confirm')
    const confirmed = plan(less, world, { prune: true, mayPrune: (_, protection) => protection !== 'disabled' })
    expect(brief(confirmed)).toContain('pod/db prune delete')
  })

  test('is left alone where somebody says so, also by who prunes', () => {
    const held = ({ name }: { name: string }): string | undefined => (name === 'db' ? 'suspended by ada: x' : undefined)
    const objects = plan(less, worldAfter(bundleOf(TEXT)), { prune: true, held })
    expect(one(objects, 'db')).toMatchObject({ action: 'keep', because: ['suspended by ada: x'] })
  })

  test('of another app is nobody else’s business', () => {
    const world = worldAfter(bundleOf(TEXT), 'other')
    expect(
      brief(
        plan('apiVersion: v1\nkind: Pod\nmetadata: {name: mine}\nspec: {containers: [{name: m, image: x}]}', world, {
          prune: true,
        }),
      ),
    ).toEqual(['pod/mine create none'])
  })
})

describe('what somebody else has', () => {
  test('is refused with every owner named', () => {
    const world = worldAfter(bundleOf(TEXT), 'other')
    expect(() => plan(TEXT, world)).toThrow(expect.objectContaining({ code: 'NAME_IN_USE' }))
    expect(() => plan(TEXT, world)).toThrow(/configmap\/settings belongs to app other.*job\/once belongs to app other/)
  })
  test('is refused when kube play made it', () => {
    const world = { ...worldAfter(bundleOf(TEXT)), owners: new Map() }
    expect(() => plan(TEXT, world)).toThrow(/pod\/web was made by kube play, from shop.yaml/)
  })
  test('is taken over where that is asked for, and nothing restarts for that', () => {
    const objects = plan(TEXT, worldAfter(bundleOf(TEXT), 'other'), { forceConflicts: true })
    expect(objects.every(({ action, effect }) => action === 'configure' && effect === 'live')).toBe(true)
    expect(one(objects, 'web').because).toEqual(['it belonged to app other'])
    const played = { ...worldAfter(bundleOf(TEXT)), owners: new Map() }
    expect(one(plan(TEXT, played, { forceConflicts: true }), 'web').because).toEqual(['kube play made it'])
  })
  test('an immutable Secret is not changed', () => {
    const text = TEXT.replace('stringData: {password', 'immutable: true\nstringData: {password')
    const world = worldAfter(bundleOf(text))
    const changed = text.replace('password: first', 'password: second')
    expect(() => plan(changed, world)).toThrow(expect.objectContaining({ code: 'WRONG_STATE' }))
  })
})

test('waves come one after the other, whatever kinds are in them', () => {
  const at = (wave: string, text: string): string =>
    text.replace('metadata: {name: db}', `metadata: {name: db, annotations: {io.tspod.wave: "${wave}"}}`)
  expect(plan(at('-1', TEXT), emptyWorld())[0]).toMatchObject({ name: 'db', wave: -1 })
  expect(plan(at('1', TEXT), emptyWorld()).at(-1)).toMatchObject({ name: 'db', wave: 1 })
})
