import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mustSucceed } from '../../src/process.ts'
import { type Machine, NODE_INSIDE, startMachine } from '../support/machine.ts'

const SCOPE = '/machine.slice/tspod-pod-scope_test-dddddddddddd.scope'
let machine: Machine
beforeAll(async () => {
  machine = await startMachine()
}, 180_000)
afterAll(() => machine?.remove())

describe('a pod outside of any unit, under systemd', () => {
  for (const runtime of ['crun', 'runc']) {
    test(`has one delegated scope for all its containers, with ${runtime}, and leaves nothing`, async () => {
      const argv = [
        NODE_INSIDE,
        '--disable-warning=ExperimentalWarning',
        '/src/test/system/pod-scope.ts',
        runtime,
      ] as const
      const finished = await machine.exec([...argv])
      if (finished.exitCode !== 0) throw new Error(finished.stderr)
      const report = JSON.parse(mustSucceed(finished, 'two containers in a scope').stdout)
      expect(report).toMatchObject({ systemd: true, runtime: { name: runtime }, again: 'exists' })
      expect(report.scope.trim().split('\n').sort()).toEqual([
        ...['ActiveState=active', 'Delegate=yes', 'Description=tspod pod scope test', 'Slice=machine.slice'],
      ])
      expect(report.monitors).toEqual([`0::${SCOPE}/control`, `0::${SCOPE}/control`])
      expect(report.containers).toEqual([`0::${SCOPE}/c0`, `0::${SCOPE}/c1`])
      expect(report.after).toMatchObject({ scope: expect.stringContaining('ActiveState=inactive'), cgroup: false })
    })
  }

  test('without D-Bus: one sentence with a remedy, and the program ends', async () => {
    const program = `${NODE_INSIDE} --disable-warning=ExperimentalWarning /src/test/system/pod-scope.ts crun`
    const hidden = `mount -t tmpfs tmpfs /run/dbus && exec timeout 60 ${program}`
    const finished = await machine.sh(`unshare --mount sh -c '${hidden}' 2>&1; echo "code $?"`)
    expect(finished.stdout).toMatch(/systemd cannot be reached over D-Bus/)
    expect(finished.stdout).toMatch(/code 1\n/)
  })
})
