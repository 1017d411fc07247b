/** Volumes from their preparation to what containers make of them, and back to nothing. */
import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mountsOf, prepareVolumes, removeVolumes } from '../../../src/engine/volumes/volumes.ts'
import type { ContainerName, ContainerSpec, MountSpec, PodSpec, VolumeSpec } from '../../../src/model.ts'
import { resolveIdentity } from '../../../src/oci/spec/index.ts'
import { run } from '../../../src/process.ts'
import { testUnless } from '../../support/requires.ts'
import { makeSandbox, mountsBelow, RUNTIMES, type Sandbox } from '../../support/sandbox.ts'
import { containerSpec, podSpec, securityOf } from '../../support/spec-input.ts'

const HUGE_PAGES = '/sys/kernel/mm/hugepages'
const hugePages = fs.existsSync(HUGE_PAGES) ? fs.readdirSync(HUGE_PAGES) : []

let sandbox: Sandbox
let canary: string
let umask: number
beforeEach(async () => {
  umask = process.umask(0o077)
  sandbox = await makeSandbox()
  canary = join(sandbox.directory, 'host')
  fs.mkdirSync(canary)
  fs.writeFileSync(join(canary, 'canary'), 'untouched', { mode: 0o600 })
})
afterEach(async () => {
  expect(fs.readFileSync(join(canary, 'canary'), 'utf8')).toBe('untouched')
  expect(fs.readdirSync(canary)).toEqual(['canary'])
  expect((fs.statSync(join(canary, 'canary')).mode & 0o777).toString(8)).toBe('600')
  await removeVolumes(sandbox.podId, sandbox.paths, run)
  await removeVolumes(sandbox.podId, sandbox.paths, run)
  expect(await sandbox.close()).toEqual([])
  process.umask(umask)
})

const mount = (volume: string, changes: Partial<MountSpec> = {}): MountSpec => ({
  ...{ volume, path: `/${volume}`, readOnly: false, propagation: 'None' },
  ...changes,
})
const file = (path: string, text: string, mode = 0o644) => ({
  path,
  mode,
  base64: Buffer.from(text).toString('base64'),
})
const VOLUMES: VolumeSpec[] = [
  { name: 'disk', kind: 'emptyDir', medium: 'disk' },
  { name: 'memory', kind: 'emptyDir', medium: 'memory', sizeBytes: 1 << 20 },
  { name: 'config', kind: 'files', source: 'configMap', files: [file('app.conf', 'a=1'), file('sub/key', 'k')] },
  { name: 'secret', kind: 'files', source: 'secret', files: [file('password', 'hidden', 0o400)] },
  { name: 'data', kind: 'claim', claim: 'data', readOnly: false },
]

const doors = { mountImage: async () => '', ownerOf: async () => undefined, mountClaim: async () => undefined }

/** Prepares the volumes of a pod of these containers and returns a way to run a script in one of them. */
async function pod(containers: ContainerSpec[], changes: Partial<PodSpec> = {}) {
  const spec = podSpec({ volumes: VOLUMES, containers, ...changes })
  const prepared = await prepareVolumes(spec, sandbox.podId, sandbox.paths, run, doors)
  const sh = async (runtime: string, script: string, index = 0): Promise<string> => {
    const container = containers[index] ?? containerSpec()
    const mounts = await mountsOf(container, prepared)
    const identity = resolveIdentity(sandbox.rootfs, '', container.security, spec.security)
    const finished = await sandbox.sh(runtime, script, { container, pod: spec, mounts, identity })
    return finished.stdout + finished.stderr
  }
  return { prepared, sh, spec }
}
const user = (uid: number, mounts: MountSpec[], name = 'c'): ContainerSpec =>
  containerSpec({ name: name as ContainerName, mounts, security: securityOf({ runAsUser: uid }) })
const unsafe = expect.objectContaining({ code: 'UNSAFE_PATH' })

for (const runtime of Object.keys(RUNTIMES)) {
  test(`each kind of volume under ${runtime}, for an ordinary user`, async () => {
    const names = ['disk', 'memory', 'config', 'secret', 'data']
    const { sh } = await pod([
      user(
        1000,
        names.map(name => mount(name)),
      ),
    ])
    const script = `cd /; for d in ${names.join(' ')}; do echo $d $(stat -c %a $d) $( (touch $d/x) 2>/dev/null && echo rw); done
      cat config/app.conf config/sub/key; cat secret/password 2>&1; df -k memory; cat /proc/self/mountinfo`
    const out = await sh(runtime, script)
    expect(out).toMatch(/^disk 777 rw\nmemory 777 rw\nconfig 755\nsecret 755\ndata 777 rw\na=1k/)
    expect(out).toMatch(/secret\/password.*Permission denied/)
    expect(out).toMatch(/tmpfs +1024 /)
    for (const name of names) expect(out).toMatch(new RegExp(` /${name} r[wo],nosuid,nodev`))
    for (const name of ['config', 'secret']) expect(out).toMatch(new RegExp(` /${name} ro,`))
  })

  test(`fsGroup under ${runtime}: the group can use the volumes and read the files`, async () => {
    const mounts = ['disk', 'memory', 'secret', 'data'].map(name => mount(name))
    const { sh } = await pod([user(1000, mounts)], { security: { fsGroup: 4242, supplementalGroups: [] } })
    const out = await sh(
      runtime,
      'for d in disk memory data; do touch /$d/x; stat -c "%g %a" /$d /$d/x; done; cat /secret/password',
    )
    expect(out).toBe(`${'4242 2777\n4242 644\n'.repeat(3)}hidden`)
  })

  test(`S01 a container cannot plant anything in projected files under ${runtime}`, async () => {
    const mounts = [mount('config'), mount('secret'), mount('data')]
    const { sh, spec, prepared } = await pod([user(0, mounts)])
    const attack = `cd /config; for k in app.conf sub/key ..data new; do rm -rf $k; ln -sfn ${canary}/canary $k; mkfifo $k; mv /data $k; done
      mount -o remount,rw /config; chmod 777 /config; echo done`
    const answer = await sh(runtime, attack)
    expect(answer).toContain('done\n')
    expect(answer).toContain("can't remove 'app.conf': Read-only file system")
    expect(answer).toContain('chmod: /config: Read-only file system')
    const again = await prepareVolumes(spec, sandbox.podId, sandbox.paths, run, doors)
    expect(again.sources).toEqual(prepared.sources)
    expect(await sh(runtime, 'cat /config/app.conf')).toBe('a=1')
  })

  test(`containers of a pod share memory and emptyDirs under ${runtime}`, async () => {
    const { sh } = await pod([user(0, [mount('memory')], 'one'), user(0, [mount('memory')], 'two')])
    await sh(runtime, 'echo a > /dev/shm/from-one; echo b > /memory/from-one')
    expect(await sh(runtime, 'cat /dev/shm/from-one /memory/from-one; touch /dev/sh', 1)).toMatch(/^a\nb\n/)
  })

  test(`subPath under ${runtime}: directories, files of a ConfigMap, and what is made`, async () => {
    const mounts = [
      mount('data', { path: '/made', subPath: 'deep/made' }),
      mount('config', { path: '/etc/app.conf', subPath: 'app.conf' }),
      mount('config', { path: '/sub', subPath: 'sub' }),
    ]
    const { sh } = await pod([user(1000, mounts)])
    expect(await sh(runtime, 'touch /made/x; stat -c %a /made; cat /etc/app.conf /sub/key')).toBe('777\na=1k')
    // Started again, it finds the same, and no bind of the first start is left over.
    expect(await sh(runtime, 'ls /made; cat /etc/app.conf')).toBe('x\na=1')
    expect(mountsBelow(sandbox.directory).filter(path => path.includes('/subpaths/'))).toHaveLength(3)
  })
}

test('an emptyDir keeps its content and a claim outlives its pod', async () => {
  const container = user(0, [mount('disk'), mount('data')])
  const first = await pod([container])
  await first.sh('runc', 'touch /disk/kept /data/kept; chmod 700 /disk')
  const second = await pod([container])
  expect(await second.sh('runc', 'ls /disk /data; stat -c %a /disk')).toMatch(/\/data:\nkept\n\n\/disk:\nkept\n700\n/)
  await removeVolumes(sandbox.podId, sandbox.paths, run)
  expect(await (await pod([container])).sh('runc', 'ls /disk /data')).toMatch(/\/data:\nkept\n\n\/disk:\n$/)
})

test('S23 a hostPath is mounted read-only as asked, with devices only when given', async () => {
  const volumes: VolumeSpec[] = [
    { name: 'host', kind: 'hostPath', path: canary, type: 'Directory' },
    { name: 'full', kind: 'hostPath', path: '/dev/full', type: 'CharDevice' },
    { name: 'kmsg', kind: 'hostPath', path: '/dev/kmsg', type: '' },
  ]
  const mounts = [
    mount('host', { readOnly: true }),
    mount('full', { path: '/dev/mine' }),
    mount('kmsg', { path: '/kmsg' }),
  ]
  const { sh } = await pod([user(0, mounts)], { volumes })
  const out = await sh('runc', 'cat /host/canary; touch /host/x; (echo x > /dev/mine) 2>&1; head -c1 /kmsg 2>&1')
  expect(out).toMatch(/^untouched/)
  expect(out).toMatch(/touch: \/host\/x: Read-only/)
  expect(out).toMatch(/No space left/)
  expect(out).toMatch(/\/kmsg: (Operation not permitted|Permission denied)/)
})

describe('S22 links in a volume', () => {
  const subPath = async (path: string): Promise<unknown> => {
    const container = user(0, [mount('data', { subPath: path })])
    const { prepared } = await pod([container])
    return await mountsOf(container, prepared)
  }
  const data = (): string => join(sandbox.paths.root, 'volumes/data/_data')

  test('a subPath over a planted link is refused, and made nowhere', async () => {
    await pod([containerSpec()])
    fs.symlinkSync(canary, join(data(), 'link'))
    fs.symlinkSync(join(canary, 'new'), join(data(), 'dangling'))
    for (const path of ['link', 'link/canary', 'link/new', 'dangling', '../x', '/etc']) {
      await expect(subPath(path)).rejects.toThrow(unsafe)
    }
  })

  test('a loop that swaps a directory and a link never gets the host mounted', async () => {
    await pod([containerSpec()])
    fs.mkdirSync(join(data(), 'dir/inner'), { recursive: true })
    fs.symlinkSync(canary, join(data(), 'evil'))
    const swap =
      'import os,sys\nos.chdir(sys.argv[1])\nwhile True:\n os.rename("dir","t");os.rename("evil","dir");os.rename("dir","evil");os.rename("t","dir")'
    const attacker = spawn('python3', ['-c', swap, data()], { stdio: 'ignore' })
    const container = user(0, [mount('data', { subPath: 'dir' })])
    const { prepared } = await pod([container])
    const outcomes = { bound: 0, refused: 0 }
    try {
      for (let round = 0; round < 60; round++) {
        const mounts = await mountsOf(container, prepared).catch(() => undefined)
        const source = mounts?.[0]?.source
        if (source !== undefined) expect(fs.existsSync(join(source, 'canary'))).toBe(false)
        outcomes[source === undefined ? 'refused' : 'bound']++
      }
    } finally {
      attacker.kill('SIGKILL')
    }
    expect(outcomes.bound + outcomes.refused).toBe(60)
  })

  test('a claim full of links is given to the group without following one', async () => {
    await pod([containerSpec()])
    fs.symlinkSync(join(canary, 'canary'), join(data(), 'link'))
    fs.symlinkSync(canary, join(data(), 'dir'))
    execFileSync('mkfifo', [join(data(), 'fifo')])
    await pod([containerSpec()], { security: { fsGroup: 4242, supplementalGroups: [] } })
    expect(fs.statSync(join(canary, 'canary')).gid).toBe(0)
    expect(fs.lstatSync(join(data(), 'fifo')).gid).toBe(4242)
  })
})

test('secrets are in memory, for root alone', async () => {
  const { prepared } = await pod([containerSpec()])
  const secret = prepared.sources.get('secret')?.path ?? ''
  expect(fs.statfsSync(secret).type).toBe(0x01021994)
  for (const part of ['root/pods', 'run/pods', 'root/volumes/data']) {
    expect((fs.statSync(join(sandbox.directory, part)).mode & 0o777).toString(8)).toBe('700')
  }
})

test('S23 propagation is refused without privileges, or where it cannot work', async () => {
  const volumes: VolumeSpec[] = [{ name: 'host', kind: 'hostPath', path: canary, type: '' }]
  const ordinary = user(0, [mount('host', { propagation: 'Bidirectional' })])
  const { prepared } = await pod([ordinary], { volumes })
  await expect(mountsOf(ordinary, prepared)).rejects.toThrow(expect.objectContaining({ code: 'SECURITY_REFUSED' }))
})

test('S15 hostile user lists are answered within two seconds and little memory', async () => {
  const lists = ['passwd', 'group'].map(name => join(sandbox.rootfs, 'etc', name))
  const kept = lists.map(path => fs.readFileSync(path))
  for (const [index, list] of lists.entries()) {
    await checkHostile(list)
    fs.rmSync(list)
    fs.writeFileSync(list, kept[index] ?? '')
  }
})

async function checkHostile(passwd: string): Promise<void> {
  const plant: (() => void)[] = [
    () => execFileSync('mkfifo', [passwd]),
    () => fs.symlinkSync(join(canary, 'canary'), passwd),
    () => fs.symlinkSync('/dev/zero', passwd),
    () => execFileSync('mknod', [passwd, 'c', '1', '5']),
    () => execFileSync('sh', ['-c', 'head -c 1073741824 /dev/zero | tr "\\0" x > "$1"', 'sh', passwd]),
    () => execFileSync('truncate', ['-s', '10G', passwd]),
    () => execFileSync('sh', ['-c', 'yes app:x:1:1::/: | head -n 10000000 > "$1"', 'sh', passwd]),
  ]
  for (const make of plant) {
    fs.rmSync(passwd)
    make()
    const [start, before] = [performance.now(), process.memoryUsage().rss]
    const outcome = ((): unknown => {
      try {
        return resolveIdentity(sandbox.rootfs, 'app', securityOf(), { supplementalGroups: [] })
      } catch (error) {
        return (error as { code?: string }).code
      }
    })()
    // A group list that leads nowhere inside the image is none.
    const nobody = { uid: 1000, gid: 1000, groups: [1000], home: '/home/app' }
    if (typeof outcome === 'object') expect(outcome).toEqual(nobody)
    else expect(['UNSAFE_PATH', 'IMAGE_BAD_CONFIG']).toContain(outcome)
    expect(performance.now() - start).toBeLessThan(2000)
    expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20)
  }
}

testUnless(hugePages.length > 0 ? undefined : 'this kernel has no huge pages')(
  'an emptyDir of huge pages is one for any user, of the size that is asked for',
  async () => {
    const [known = ''] = hugePages
    const pageBytes = Number(/\d+/.exec(known)?.[0]) * 1024
    const huge: VolumeSpec = { name: 'huge', kind: 'emptyDir', medium: 'hugepages', pageBytes, sizeBytes: pageBytes }
    const { sh } = await pod([user(1000, [mount('huge')])], { volumes: [huge] })
    const out = await sh('runc', 'touch /huge/x && stat -c %a /huge; grep " /huge " /proc/self/mountinfo; df -k /huge')
    expect(out).toMatch(/^777\n.*hugetlbfs/)
    expect(out).toMatch(new RegExp(`hugetlbfs +${pageBytes / 1024} `))
    const none = pod([containerSpec()], { volumes: [{ ...huge, pageBytes: 12_288 }] })
    await expect(none).rejects.toThrow(expect.objectContaining({ code: 'VOLUME_INVALID' }))
  },
)
