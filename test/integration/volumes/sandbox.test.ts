/** What a container sees and can do, asked from inside, under both runtimes. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { buildExecProcess, buildPauseSpec, resolveIdentity, secureRootfs } from '../../../src/oci/spec/index.ts'
import { run } from '../../../src/process.ts'
import { makeSandbox, RUNTIMES, type Sandbox, SECCOMP_PROFILE } from '../../support/sandbox.ts'
import { securityOf, specInput } from '../../support/spec-input.ts'

const DEFAULT_MASK = '00000000800405fb'
const STATUS = 'grep -E "^(Cap|NoNewPrivs|Seccomp:|Groups)" /proc/self/status'

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await makeSandbox()
})
afterAll(async () => {
  expect(await sandbox.close()).toEqual([])
})

/** `Name: value` lines as an object. */
const fields = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map(line => line.split(':').map(part => part.trim())),
  )
const mountOptions = (mountinfo: string, path: string): string[] =>
  mountinfo
    .split('\n')
    .map(line => line.split(' '))
    .find(words => words[4] === path)?.[5]
    ?.split(',') ?? []

for (const runtime of Object.keys(RUNTIMES)) {
  describe(`a plain container under ${runtime}`, () => {
    const sh = async (script: string, changes?: Parameters<Sandbox['sh']>[2]): Promise<string> => {
      const finished = await sandbox.sh(runtime, script, changes)
      expect(finished).toMatchObject({ exitCode: 0 })
      return finished.stdout
    }

    test("has Podman's capabilities, a filter, no inherited descriptors and no foreign environment", async () => {
      expect(fields(await sh(STATUS))).toEqual({
        ...{ CapInh: '0000000000000000', CapAmb: '0000000000000000', NoNewPrivs: '0', Seccomp: '2', Groups: '0' },
        ...{ CapPrm: DEFAULT_MASK, CapEff: DEFAULT_MASK, CapBnd: DEFAULT_MASK },
      })
      // The fourth is the directory that ls itself has open.
      expect((await sh('ls /proc/self/fd')).trim().split(/\s+/)).toEqual(['0', '1', '2', '3'])
      expect((await sh('exec env')).trim().split('\n').sort()).toEqual(['HOME=/root', 'PATH=/bin', 'PWD=/', 'SHLVL=1'])
      expect(await sh('umask; cat /proc/self/oom_score_adj')).toBe('0022\n1000\n')
    })

    test('sees exactly the devices it should, and can make no others', async () => {
      // crun adds /dev/core, a link to the masked /proc/kcore; no configuration can keep it from that.
      const devices = (await sh('ls /dev'))
        .trim()
        .split(/\s+/)
        .filter(name => name !== 'core')
      const kernel = ['full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'tty', 'urandom', 'zero']
      expect(devices).toEqual([...kernel, 'fd', 'stderr', 'stdin', 'stdout'].sort())
      expect((await sandbox.sh(runtime, 'mknod /tmp/sda b 8 0')).exitCode).not.toBe(0)
    })

    test('finds masked paths empty and protected ones unwritable', async () => {
      const paths = '/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/timer_list /proc/scsi'
      const more = '/sys/dev/block /sys/firmware /sys/devices/virtual/powercap /sys/fs/selinux'
      const look = `for p in ${paths} ${more}; do [ ! -e $p ] || [ -z "$( (ls $p/* || head -c1 $p) 2>/dev/null | grep -vx $p)" ] || echo $p; done`
      expect(await sh(look)).toBe('')
      const places =
        '/proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/x /proc/bus/x /proc/fs/x /sys/x /sys/fs/cgroup/x'
      expect(await sh(`for p in ${places}; do (: >> $p) 2>/dev/null && echo $p; done; true`)).toBe('')
    })

    test('has its file systems mounted with care', async () => {
      const mountinfo = await sh('cat /proc/self/mountinfo')
      const want: Record<string, string[]> = {
        '/proc': ['nosuid', 'nodev', 'noexec'],
        '/dev': ['nosuid', 'noexec'],
        '/dev/pts': ['nosuid', 'noexec'],
        '/sys': ['ro', 'nosuid', 'nodev', 'noexec'],
        '/proc/sys': ['ro'],
      }
      for (const [path, options] of Object.entries(want)) {
        expect([path, ...mountOptions(mountinfo, path)]).toEqual(expect.arrayContaining([path, ...options]))
      }
      expect(await sh('cat /proc/self/cgroup')).not.toMatch(/tspod/)
    })

    test('has fixed limits, lowered to what this host gives', async () => {
      const limits = await sh('cat /proc/self/limits')
      const hard = Math.min(524_288, sandbox.host.nofileHard)
      expect(limits).toMatch(new RegExp(`Max open files +1024 +${hard} `))
      expect(limits).toMatch(/Max core file size +0 +0 /)
    })

    test('in namespaces of its own: host name, shared memory, sysctls', async () => {
      const namespaces = sandbox.pin()
      const script = `hostname; cat /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/shmmax
        cat /proc/sys/net/ipv6/conf/default/accept_ra; ls /proc/sys/net/ipv4/conf; df -k /dev/shm`
      const input = { namespaces, hostname: 'inside' }
      const out = await sh(script, input)
      expect(out).toMatch(/^inside\n0\t0\n/)
      expect(out).toMatch(/\n0\nall\n/)
      expect(out).toMatch(/ 64000 /)
      expect(out).not.toContain('eth0')
    })
  })

  describe(`a restricted container under ${runtime}`, () => {
    const identity = { uid: 1000, gid: 1000, groups: [1000, 63], home: '/home/app' }
    const security = securityOf({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] },
    })
    beforeAll(() => {
      // A static program that does not give up its rights by itself, as busybox would: it writes a cache file.
      fs.copyFileSync('/sbin/ldconfig', join(sandbox.rootfs, 'bin/setuid'))
      fs.chmodSync(join(sandbox.rootfs, 'bin/setuid'), 0o4755)
    })

    test('is the user it should be, without any effective capability, and cannot gain one', async () => {
      const out = (await sandbox.sh(runtime, `${STATUS}; id -u; id -G`, { container: { security }, identity })).stdout
      expect(out).toMatch(/\n1000\n1000 63\n$/)
      expect(fields(out)).toMatchObject({
        ...{ CapInh: '0000000000000000', CapPrm: '0000000000000000', CapEff: '0000000000000000' },
        ...{ CapBnd: '0000000000000400', CapAmb: '0000000000000000', NoNewPrivs: '1', Seccomp: '2' },
      })
    })

    test('a set-user-id program changes the user only without the restriction', async () => {
      const script = 'setuid -C /etc/probe 2>/dev/null; stat -c %u /etc/probe'
      const loose = await sandbox.sh(runtime, script, { identity })
      expect(loose.stdout).toBe('0\n')
      fs.rmSync(join(sandbox.rootfs, 'etc/probe'))
      const strict = securityOf({ allowPrivilegeEscalation: false })
      expect((await sandbox.sh(runtime, script, { identity, container: { security: strict } })).stdout).toBe('')
    })

    test('can write to /tmp, /run and /var/tmp only', async () => {
      const script = 'for d in / /etc /bin /tmp /run /var/tmp /dev/shm; do (touch $d/x) 2>/dev/null && echo $d; done'
      const finished = await sandbox.sh(runtime, script, { container: { security }, identity })
      expect(finished.stdout.trim().split('\n')).toEqual(expect.arrayContaining(['/tmp', '/dev/shm']))
      expect(finished.stdout).not.toMatch(/^\/$|etc|bin/m)
    })
  })

  test(`a privileged container under ${runtime} has what tspod has`, async () => {
    const security = securityOf({ privileged: true })
    const hostDevices = [
      { path: '/dev/tspod-test', type: 'c' as const, major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0 },
    ]
    const script = `${STATUS}; ls /dev/tspod-test; ls /sys/firmware | wc -l`
    const { stdout } = await sandbox.sh(runtime, script, { container: { security }, hostDevices })
    const own = fields(fs.readFileSync('/proc/self/status', 'utf8'))
    expect(fields(stdout)).toMatchObject({ CapEff: own.CapBnd, CapInh: '0000000000000000', Seccomp: '0' })
    expect(stdout).toContain('/dev/tspod-test')
  })

  test(`a process that joins under ${runtime} has the sandbox of the container and the user it asked for`, async () => {
    const id = `exec-${runtime}`
    const running = sandbox.sh(runtime, 'touch /tmp/up; sleep 20', { id, container: { security: securityOf() } })
    try {
      const config = JSON.parse(await fileText(join(sandbox.directory, `bundle-${id}`, 'config.json')))
      const results: string[] = []
      for (const user of ['1', '1:1', 'app', 'app:audio', '0']) {
        const pod = { supplementalGroups: [] }
        const identity = resolveIdentity(sandbox.rootfs, '', securityOf({ runAsUser: 5 }), pod, user)
        const script = `busybox id -u; busybox id -g; busybox id -G; ${STATUS}`
        const wanted = { args: ['/bin/busybox', 'sh', '-c', script], env: {}, tty: false, identity }
        const file = join(sandbox.directory, 'process.json')
        fs.writeFileSync(file, JSON.stringify(buildExecProcess(config, wanted)))
        const finished = await untilRunning(() => run({ argv: sandbox.argv(runtime, 'exec', '--process', file, id) }))
        const [uid, gid, groups, ...status] = finished.stdout.split('\n')
        results.push(`${user} = ${uid}:${gid} ${groups} ${fields(status.join('\n')).Seccomp}`)
      }
      expect(results).toEqual([
        '1 = 1:0 0 2',
        '1:1 = 1:1 1 2',
        'app = 1000:1000 1000 63 2',
        'app:audio = 1000:63 63 2',
        '0 = 0:0 0 2',
      ])
    } finally {
      await run({ argv: sandbox.argv(runtime, 'kill', id, 'KILL') })
      await running
    }
  })

  test(`S05 a working directory over a link under ${runtime} makes nothing on the host`, async () => {
    const trap = fs.mkdtempSync(join(sandbox.directory, 'trap-'))
    fs.symlinkSync(`../../../..${trap}`, join(sandbox.rootfs, 'work'))
    try {
      await sandbox.sh(runtime, 'touch here', { container: { workingDir: '/work/deep' } })
      expect(fs.readdirSync(trap)).toEqual([])
    } finally {
      fs.rmSync(join(sandbox.rootfs, 'work'))
      fs.rmSync(join(sandbox.rootfs, 'tmp', sandbox.directory.split('/')[2] ?? ''), { recursive: true, force: true })
    }
  })
}

for (const runtime of Object.keys(RUNTIMES)) {
  test(`S34 links of an image where something is mounted under ${runtime} stay inside the image`, async () => {
    const host = fs.mkdtempSync(join(sandbox.directory, 'host-'))
    fs.chmodSync(host, 0o755)
    fs.writeFileSync(join(host, 'canary'), 'untouched', { mode: 0o644 })
    const managed = join(sandbox.directory, 'managed')
    fs.writeFileSync(managed, 'managed', { mode: 0o644 })
    const links = {
      'etc/hosts': `${host}/canary`,
      'etc/mtab': `${host}/mtab`,
      'var/tmp': host,
      data: `../../../..${host}/new`,
    }
    fs.mkdirSync(join(sandbox.rootfs, 'var'), { recursive: true })
    for (const [path, target] of Object.entries(links)) {
      fs.rmSync(join(sandbox.rootfs, path), { recursive: true, force: true })
      fs.symlinkSync(target, join(sandbox.rootfs, path))
    }
    const at = (target: string) =>
      ({ source: managed, target, readOnly: false, propagation: 'private', kind: 'bind' }) as const
    const before = mounts()
    const { stdout } = await sandbox.sh(runtime, 'cat /etc/hosts /var/tmp/*; echo x > /var/tmp/x', {
      container: { security: securityOf({ readOnlyRootFilesystem: true }) },
      mounts: [at('/etc/hosts'), at('/data')],
    })
    // Made anew where the links lead inside the image, the mounts are there; the host's file is not.
    expect(stdout).not.toContain('untouched')
    expect(fs.readdirSync(host)).toEqual(['canary'])
    expect(fs.readFileSync(join(host, 'canary'), 'utf8')).toBe('untouched')
    expect(mounts()).toEqual(before)
    for (const path of Object.keys(links)) fs.rmSync(join(sandbox.rootfs, path))
  })
}

/** What is mounted on this host, but for what other tests have mounted meanwhile in folders of their own. */
function mounts(): string[] {
  const lines = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return lines.filter(line => line.includes(sandbox.directory) || !/ \/(?:var\/)?tmp\/tspod-/.test(line))
}

test('an image whose /dev, /proc or /sys is a link is refused before a runtime sees it', async () => {
  for (const name of ['dev', 'proc', 'sys']) {
    const path = join(sandbox.rootfs, name)
    const trap = fs.mkdtempSync(join(sandbox.directory, 'trap-'))
    for (const target of [trap, 'etc']) {
      fs.rmSync(path, { recursive: true, force: true })
      fs.symlinkSync(target, path)
      expect(() => secureRootfs(sandbox.rootfs)).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH' }))
      expect(fs.readdirSync(trap)).toEqual([])
    }
    fs.rmSync(path)
  }
  secureRootfs(sandbox.rootfs)
  expect(fs.statSync(join(sandbox.rootfs, 'dev')).mode & 0o777).toBe(0o755)
})

async function fileText(path: string): Promise<string> {
  for (let attempt = 0; attempt < 200 && !fs.existsSync(path); attempt++) await pause()
  return fs.readFileSync(path, 'utf8')
}

async function untilRunning<T extends { exitCode: number; stderr: string }>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const finished = await act()
    if (finished.exitCode === 0) return finished
    await pause()
  }
  throw new Error('the container did not come up')
}

const pause = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 50))

for (const runtime of Object.keys(RUNTIMES)) {
  test(`the container that holds a PID namespace runs under ${runtime}, and others join it`, async () => {
    const id = `pause-${runtime}`
    const bundle = join(sandbox.directory, id)
    fs.mkdirSync(join(bundle, 'rootfs'), { recursive: true })
    const input = specInput({ namespaces: {}, seccompProfile: SECCOMP_PROFILE, cgroupPath: `${sandbox.cgroup}/${id}` })
    const pause = { ...input, rootfs: join(bundle, 'rootfs'), catatonit: '/usr/bin/catatonit' }
    fs.writeFileSync(join(bundle, 'config.json'), JSON.stringify(buildPauseSpec(pause, sandbox.host)))
    const holding = run({ argv: sandbox.argv(runtime, 'run', '--bundle', bundle, id) })
    try {
      const state = await untilRunning(() => run({ argv: sandbox.argv(runtime, 'state', id) }))
      const pid = `/proc/${JSON.parse(state.stdout).pid}/ns/pid`
      const { stdout } = await sandbox.sh(runtime, `cat /proc/1/comm; ${STATUS.replace('self', '1')}`, {
        namespaces: { pid },
      })
      expect(stdout).toMatch(/^catatonit\n/)
      expect(fields(stdout.slice('catatonit\n'.length))).toMatchObject({
        CapBnd: '0000000000000000',
        NoNewPrivs: '1',
        Seccomp: '2',
      })
    } finally {
      await run({ argv: sandbox.argv(runtime, 'kill', id, 'KILL') })
      await holding
    }
  })
}
