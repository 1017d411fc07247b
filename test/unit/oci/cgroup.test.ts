import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { systemClock } from '../../../src/clock.ts'
import { TspodError } from '../../../src/errors.ts'
import {
  cgroupMode,
  containerCgroup,
  enterPod,
  type Hierarchy,
  parseHierarchies,
  podCgroup,
  removeCgroup,
} from '../../../src/oci/cgroup.ts'

const V2_ONLY = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n'
const HYBRID = [
  '25 24 0:23 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755',
  '26 25 0:24 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct',
  '27 25 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
  '28 25 0:27 / /sys/fs/cgroup/systemd rw - cgroup systemd rw,xattr,name=systemd',
  '29 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
  '31 25 0:25 / /mnt/memory\\040again rw - cgroup cgroup rw,memory',
].join('\n')

describe('what is mounted', () => {
  test('v2 only', () => {
    expect(parseHierarchies(V2_ONLY)).toEqual([{ version: 2, mount: '/sys/fs/cgroup', controllers: [] }])
  })

  test('hybrid: each tree once, with its controllers', () => {
    expect(parseHierarchies(HYBRID)).toEqual([
      { version: 1, mount: '/sys/fs/cgroup/cpu,cpuacct', controllers: ['cpu', 'cpuacct'] },
      { version: 1, mount: '/sys/fs/cgroup/memory', controllers: ['memory'] },
      { version: 1, mount: '/sys/fs/cgroup/systemd', controllers: ['name=systemd'] },
      { version: 2, mount: '/sys/fs/cgroup/unified', controllers: [] },
    ])
  })

  const modes: Record<string, [mountinfo: string, unified: string | undefined, mode: string]> = {
    'only v2': [V2_ONLY, 'cpu memory pids\n', 'v2'],
    'v1 beside a v2 tree with a controller': [HYBRID, 'hugetlb\n', 'hybrid'],
    'v1 beside a v2 tree without any': [HYBRID, '\n', 'v1'],
    'no v2 tree': [HYBRID.replace(/^29.*$/m, ''), undefined, 'v1'],
  }
  for (const [name, [mountinfo, unified, mode]] of Object.entries(modes)) {
    test(`${name} is ${mode}`, () => expect(cgroupMode(parseHierarchies(mountinfo), () => unified)).toBe(mode))
  }
})

describe('where pods go', () => {
  const pod = { name: 'web', id: 'abcdef0123456789'.repeat(4) }

  test('without systemd', () => {
    const place = podCgroup({ manager: 'cgroupfs' }, pod)
    expect(place).toEqual({ path: '/tspod/pod-web-abcdef012345', control: '/tspod/pod-web-abcdef012345/control' })
    expect(containerCgroup(place, 'nginx')).toBe('/tspod/pod-web-abcdef012345/nginx')
  })

  test('under systemd: one scope per pod', () => {
    expect(podCgroup({ manager: 'systemd' }, pod)).toEqual({
      path: '/machine.slice/tspod-pod-web-abcdef012345.scope',
      control: '/machine.slice/tspod-pod-web-abcdef012345.scope/control',
      scope: { unit: 'tspod-pod-web-abcdef012345.scope', slice: 'machine.slice', description: 'tspod pod web' },
    })
  })

  test('below a unit', () => {
    const place = podCgroup({ manager: 'parent', path: '/system.slice/app.service' }, pod)
    expect(place).toEqual({
      path: '/system.slice/app.service/pod-web-abcdef012345',
      control: '/system.slice/app.service/control',
      parent: '/system.slice/app.service',
    })
  })

  test('a container named control does not share the monitors’ cgroup', () => {
    const place = podCgroup({ manager: 'cgroupfs' }, pod)
    expect(containerCgroup(place, 'control')).not.toBe(place.control)
  })

  test('whatever the name, the unit name is valid and nothing climbs', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), name => {
        const place = podCgroup({ manager: 'systemd' }, { ...pod, name })
        expect(place.scope?.unit).toMatch(/^[A-Za-z0-9_.-]+\.scope$/)
        expect(place.scope?.unit.length).toBeLessThan(256)
        expect(containerCgroup(place, name).slice(place.path.length)).toMatch(/^\/[A-Za-z0-9_-][A-Za-z0-9_.-]*$/)
      }),
    )
  })
})

describe('removal', () => {
  let mounts: string[]
  let trees: Hierarchy[]
  beforeEach(() => {
    // Plain directories behave like empty cgroups as far as removing goes.
    mounts = [mkdtempSync('/tmp/tspod-cg-'), mkdtempSync('/tmp/tspod-cg-')]
    trees = mounts.map((mount, index) => ({ version: index === 0 ? 1 : 2, mount, controllers: ['memory'] }))
  })
  afterEach(() => {
    for (const mount of mounts) rmSync(mount, { recursive: true, force: true })
  })

  test('children first, in every tree, and twice is no error', async () => {
    mkdirSync(join(mounts[0]!, 'tspod/pod-a/c1/inner'), { recursive: true })
    mkdirSync(join(mounts[1]!, 'tspod/pod-a/c2'), { recursive: true })
    mkdirSync(join(mounts[0]!, 'tspod/pod-b'), { recursive: true })
    const options = { force: false, clock: systemClock }
    expect(await removeCgroup(trees, '/tspod/pod-a', options)).toBe('removed')
    expect(await removeCgroup(trees, '/tspod/pod-a', options)).toBe('removed')
    expect(mounts.map(mount => existsSync(join(mount, 'tspod/pod-a')))).toEqual([false, false])
    expect(existsSync(join(mounts[0]!, 'tspod/pod-b'))).toBe(true)
  })

  for (const path of ['/', '', 'tspod', '//x', '/tspod/../..']) {
    test(`${JSON.stringify(path)} is not a cgroup to remove`, async () => {
      await expect(removeCgroup(trees, path, { force: true, clock: systemClock })).rejects.toThrow('not a cgroup')
    })
  }
})

describe('entering a pod’s scope', () => {
  test('a scope that is not there although it "exists" is started again', async () => {
    const mount = mkdtempSync('/tmp/tspod-cg-')
    try {
      const trees: Hierarchy[] = [{ version: 2, mount, controllers: [] }]
      const place = podCgroup({ manager: 'systemd' }, { name: 'web', id: 'f'.repeat(64) })
      const outcomes = ['exists', 'exists', 'started'] as const // two times somebody else's scope is about to end
      let calls = 0
      await enterPod(
        trees,
        place,
        1234,
        async () => {
          const outcome = outcomes[calls++]!
          if (outcome === 'started') mkdirSync(join(mount, place.path), { recursive: true })
          return outcome
        },
        systemClock,
      )
      expect(calls).toBe(3)
      expect(existsSync(join(mount, place.control, 'cgroup.procs'))).toBe(true)
    } finally {
      rmSync(mount, { recursive: true, force: true })
    }
  })

  test('a scope systemd says it started, but did not, is an error', async () => {
    const trees: Hierarchy[] = [{ version: 2, mount: '/tmp/tspod-nothing-here', controllers: [] }]
    const place = podCgroup({ manager: 'systemd' }, { name: 'web', id: 'f'.repeat(64) })
    const entering = enterPod(trees, place, 1234, async () => 'started', systemClock)
    await expect(entering).rejects.toBeInstanceOf(TspodError)
    expect(existsSync('/tmp/tspod-nothing-here')).toBe(false)
  })
})
