/** securityContext, limits and signals, read inside a container. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Finished } from '../../../src/process.ts'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'

const FILTER = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['sethostname'], action: 'SCMP_ACT_ERRNO' }] }
const TRAPS = "trap 'exit 7' USR1; trap 'exit 0' TERM; while :; do sleep 0.1; done"

const POD = (more: string): string => `
apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations: {io.podman.annotations.ulimit: 'nofile=90:91', io.podman.annotations.cpuset/main: '0'}
spec:
  restartPolicy: Never
  resources: {limits: {memory: 64Mi, cpu: 500m}}
  securityContext:
    supplementalGroups: [4000]
    supplementalGroupsPolicy: Strict
    seccompProfile: {type: Localhost, localhostProfile: deny.json}
    sysctls: [{name: net.ipv4.tcp_fin_timeout, value: "33"}, {name: net.core.somaxconn, value: "99"}]
  containers:
    - name: main
      image: ${DEMO_IMAGE}
      command: [sh, -c, "${TRAPS}"]
      lifecycle: {stopSignal: SIGUSR1}
      resources: {limits: {pids: "41", memory: 32Mi}}
      ${more}
`

describe('what a manifest says of confinement', () => {
  let cell: Place
  beforeAll(async () => {
    cell = await readyCell({ view: 'v1' })
  }, 60_000)
  afterEach(() => takeDownAll(cell))
  afterAll(() => cell?.remove())

  const play = (args: string[], more = ''): Promise<Finished> =>
    tspod(cell, ['kube', 'play', ...args, '-'], { input: POD(more) })

  // shows: SeccompProfile.localhostProfile
  test('holds inside', async () => {
    await cell.exec(['sh', '-c', 'mkdir -p /tmp/profiles; cat >/tmp/profiles/deny.json'], {
      input: JSON.stringify(FILTER),
    })
    const flags = ['--seccomp-profile-root', '/tmp/profiles', '--allowed-unsafe-sysctls', 'net.core.*']
    expect(await play(flags)).toMatchObject({ exitCode: 0 })
    const inside = async (script: string): Promise<string> =>
      (await succeeds(cell, ['exec', 'web-main', 'sh', '-c', script])).trim()
    expect(await inside('cat /proc/sys/net/ipv4/tcp_fin_timeout /proc/sys/net/core/somaxconn')).toBe('33\n99')
    expect(await inside('grep Groups /proc/self/status')).toBe('Groups:\t0 4000')
    expect(await inside('hostname changed 2>&1 || true')).toMatch(/not permitted/)
    expect(await inside('cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory/memory.limit_in_bytes')).toBe(
      `41\n${32 << 20}`,
    )
    expect(await inside('grep hierarchical_memory_limit /sys/fs/cgroup/memory/memory.stat')).toContain(` ${32 << 20}`)
    const pod = (await succeeds(cell, ['pod', 'inspect', 'web', '--format', '{{.CgroupPath}}'])).trim()
    expect(pod).not.toBe('')
    const limit = await cell.sh(
      `cat /sys/fs/cgroup/memory${pod}/memory.limit_in_bytes /sys/fs/cgroup/cpu${pod}/cpu.cfs_quota_us`,
    )
    expect(limit.stdout).toBe(`${64 << 20}\n50000\n`)
    expect(await inside("grep 'open files' /proc/1/limits | tr -s ' '; cat /sys/fs/cgroup/cpuset/cpuset.cpus")).toMatch(
      /^Max open files 90 91 files ?\n0$/,
    )
    await succeeds(cell, ['stop', 'web-main'])
    expect((await succeeds(cell, ['inspect', 'web-main', '--format', '{{.State.ExitCode}}'])).trim()).toBe('7')
  }, 60_000)

  test.each<[name: string, more: string, args: string[], says: RegExp]>([
    [
      'an unsafe sysctl needs a flag',
      '',
      ['--seccomp-profile-root', '/'],
      /net\.core\.somaxconn" is not a safe sysctl/,
    ],
    [
      'a profile of a module that is not there',
      'securityContext: {appArmorProfile: {type: Localhost, localhostProfile: x}}',
      ['--allowed-unsafe-sysctls', '*'],
      /this host has no AppArmor/,
    ],
    [
      'a label of a module that is not there',
      'securityContext: {seLinuxOptions: {level: "s0:c1"}}',
      ['--allowed-unsafe-sysctls', '*'],
      /this host has no SELinux/,
    ],
  ])('%s', async (_, more, args, says) => {
    const refused = await play(args, more)
    expect(refused.exitCode).toBe(125)
    expect(refused.stderr).toMatch(says)
  })
})
