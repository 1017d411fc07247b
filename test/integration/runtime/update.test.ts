import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals'
import { readHostFacts } from '../../../src/oci/index.ts'
import type { Place } from '../../support/place.ts'
import { testUnless } from '../../support/requires.ts'
import { podText, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'

const CGROUP = '/sys/fs/cgroup'
const isV2 = (await readHostFacts()).cgroup === 'v2'
const test = testUnless(isV2 ? 'this host has no v1 controllers' : undefined)

for (const view of ['host', 'v1'] as const) {
  describe(`update of a running container, cgroups as in the view "${view}"`, () => {
    let cell: Place
    beforeAll(async () => {
      cell = await readyCell({ view })
    }, 60_000)
    afterEach(() => takeDownAll(cell))
    afterAll(() => cell?.remove())

    const read = async (controller: string, file: string): Promise<string> => {
      const found = await cell.sh(`cat ${CGROUP}/${controller}/tspod/pod-up-*/c1/${file}`)
      return found.stdout.trim()
    }

    test('the kernel has the new limits, and so has the next run', async () => {
      await succeeds(cell, ['kube', 'play', '-'], { input: podText('up') })
      const flags = ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '77', '--cpu-shares', '512']
      const id = (await succeeds(cell, ['update', ...flags, 'up-c1'])).trim()
      expect(id).toMatch(/^[0-9a-f]{64}$/)
      const expectLimits = async (): Promise<void> => {
        expect(await read('memory', 'memory.limit_in_bytes')).toBe(String(64 * 1024 * 1024))
        expect(await read('cpu', 'cpu.cfs_quota_us')).toBe('50000')
        expect(await read('cpu', 'cpu.shares')).toBe('512')
        expect(await read('pids', 'pids.max')).toBe('77')
      }
      await expectLimits()
      const [inspected] = JSON.parse(await succeeds(cell, ['inspect', 'up-c1'])) as { HostConfig: { Memory: number } }[]
      expect(inspected!.HostConfig.Memory).toBe(64 * 1024 * 1024)

      await succeeds(cell, ['update', '--pids-limit', '-1', 'up/c1'])
      expect(await read('pids', 'pids.max')).toBe('max')
      expect(await read('memory', 'memory.limit_in_bytes')).toBe(String(64 * 1024 * 1024))
      await succeeds(cell, ['update', '--pids-limit', '77', 'up/c1'])
      // It is killed without anybody having asked for it: it runs again, with the limits it had.
      const pid = (await cell.sh(`cat ${CGROUP}/pids/tspod/pod-up-*/c1/cgroup.procs`)).stdout.split('\n')[0]!
      await cell.sh(`kill -KILL ${pid}; for i in $(seq 100); do sleep 0.1; \
        p=$(head -n1 ${CGROUP}/pids/tspod/pod-up-*/c1/cgroup.procs 2>/dev/null); \
        [ -n "$p" ] && [ "$p" != ${pid} ] && [ "$(cat ${CGROUP}/pids/tspod/pod-up-*/c1/pids.max)" = 77 ] && exit; done`)
      await expectLimits()
    })

    test('all or nothing: less memory than is in use is refused in one sentence', async () => {
      await succeeds(cell, ['kube', 'play', '-'], { input: podText('up') })
      const before = await read('memory', 'memory.limit_in_bytes')
      const failed = await tspod(cell, ['update', '--pids-limit', '5', '--cpuset-cpus', '4000', 'up-c1'])
      expect(failed.exitCode).toBe(125)
      expect(failed.stderr).toMatch(/the kernel does not take 4000 as the limit of set of cpus/)
      expect(await read('pids', 'pids.max')).not.toBe('5')
      expect(await read('memory', 'memory.limit_in_bytes')).toBe(before)
    })
  })
}
