import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { ContainerSecurity, PodSecurity } from '../../../../src/model.ts'
import { resolveIdentity } from '../../../../src/oci/spec/index.ts'
import { securityOf } from '../../../support/spec-input.ts'

const PASSWD = `root:x:0:0:root:/root:/bin/sh
toor:x:0:0::/:/bin/sh
app:x:1000:1001::/home/app:/bin/sh
web:x:33:33:/no/home/field
evil:x:1002:1002::/x\rroot:/bin/sh
wrap:x:4294967296:0::/:/bin/sh
:x:7:7::/:
1e3:x:9:9::/nine:
`
const GROUP = `root:x:0:
app:x:1001:
audio:x:63:app,web
video:x:44:root,app
big:x:99999999999:app
`

let rootfs: string
beforeEach(() => {
  rootfs = mkdtempSync('/tmp/tspod-identity-')
  mkdirSync(join(rootfs, 'etc'))
  writeFileSync(join(rootfs, 'etc/passwd'), PASSWD)
  writeFileSync(join(rootfs, 'etc/group'), GROUP)
})
afterEach(() => rmSync(rootfs, { recursive: true, force: true }))

const resolve = (
  user: string,
  security: Partial<ContainerSecurity> = {},
  pod: Partial<PodSecurity> = {},
  flag?: string,
) => resolveIdentity(rootfs, user, securityOf(security), { supplementalGroups: [], ...pod }, flag)
const ids = (...parameters: Parameters<typeof resolve>): string => {
  const { uid, gid, groups } = resolve(...parameters)
  return `${uid}:${gid} ${groups.join(',')}`
}

describe('S12 user and groups', () => {
  const cases: Record<string, { given: Parameters<typeof resolve>; want: string }> = {
    'no user: root, with its groups': { given: [''], want: '0:0 0,44' },
    'a name': { given: ['app'], want: '1000:1001 1001,63,44' },
    'a number the image knows': { given: ['1000'], want: '1000:1001 1001,63,44' },
    'a number it does not know': { given: ['4242'], want: '4242:0 0' },
    'user and group by name': { given: ['app:audio'], want: '1000:63 63,44' },
    'user and group by number': { given: ['1000:5'], want: '1000:5 5,63,44' },
    'a group alone': { given: [':5'], want: '0:5 5,44' },
    'a name that looks like a number with an exponent': { given: ['1e3'], want: '9:9 9' },
    "runAsUser replaces the image's user and group": {
      given: ['0:0', { runAsUser: 1000 }],
      want: '1000:1001 1001,63,44',
    },
    'runAsGroup replaces the group only': { given: ['app', { runAsGroup: 7 }], want: '1000:7 7,63,44' },
    'runAsUser and runAsGroup': { given: ['', { runAsUser: 5, runAsGroup: 6 }], want: '5:6 6' },
    'pod groups are merged, each once': {
      given: ['app', {}, { supplementalGroups: [63, 500], fsGroup: 500 }],
      want: '1000:1001 1001,63,44,500',
    },
    'Strict groups are those of the manifest alone': {
      given: ['app', {}, { supplementalGroups: [500], strictGroups: true }],
      want: '1000:1001 1001,500',
    },
    'exec -u beats runAsUser': { given: ['app', { runAsUser: 1000, runAsGroup: 1000 }, {}, '1'], want: '1:0 0' },
    'exec -u uid:gid': { given: ['app', { runAsUser: 1000 }, {}, '1:1'], want: '1:1 1' },
    'exec -u name:group': { given: ['', { runAsUser: 5 }, {}, 'web:video'], want: '33:44 44,63' },
    'exec -u 0 is root even with runAsNonRoot': { given: ['app', { runAsNonRoot: true }, {}, '0'], want: '0:0 0,44' },
  }
  for (const [name, { given, want }] of Object.entries(cases)) test(name, () => expect(ids(...given)).toBe(want))

  test('home comes from the list, unless it holds what does not belong there', () => {
    expect(resolve('app').home).toBe('/home/app')
    expect(resolve('1002').home).toBe('/')
    expect(resolve('4242').home).toBe('/')
    expect(resolve('33').home).toBe('/')
  })

  test('an image without lists runs as root or by number', () => {
    rmSync(join(rootfs, 'etc'), { recursive: true })
    expect(resolve('')).toEqual({ uid: 0, gid: 0, groups: [0], home: '/root' })
    expect(ids('5:6')).toBe('5:6 6')
  })
})

describe('S13 runAsNonRoot', () => {
  for (const user of ['', '0', '00', 'root', '0:1000', 'toor', ':1000', '000000']) {
    test(`refuses the image's user ${JSON.stringify(user)}`, () => {
      expect(() => resolve(user, { runAsNonRoot: true })).toThrow(expect.objectContaining({ code: 'SECURITY_REFUSED' }))
    })
  }
  test('refuses runAsUser 0', () => {
    expect(() => resolve('app', { runAsNonRoot: true, runAsUser: 0 })).toThrow(/runAsUser is 0/)
  })
  for (const user of ['1000:0', 'app', '1000']) {
    test(`accepts ${user}`, () => expect(resolve(user, { runAsNonRoot: true }).uid).toBe(1000))
  }
})

describe('a user that cannot be proven is refused, whatever else is set', () => {
  const users = [
    '+0',
    ' 0',
    '4294967296',
    '4294967295',
    '2147483648',
    '-1',
    '0x0',
    'nosuch',
    'wrap',
    'app:nosuch',
    'app\n',
    '1000:-1',
  ]
  for (const user of [...users, '1000:4294967296', '99999999999999999999']) {
    test(JSON.stringify(user), () => {
      for (const runAsNonRoot of [true, false]) {
        expect(() => resolve(user, { runAsNonRoot })).toThrow(expect.objectContaining({ code: 'IMAGE_BAD_CONFIG' }))
      }
    })
  }
})

describe('S15 hostile lists in an image', () => {
  const plant: Record<string, (path: string) => void> = {
    'a FIFO': path => execFileSync('mkfifo', [path]),
    'a directory': path => mkdirSync(path),
    'a device': path => execFileSync('mknod', [path, 'c', '1', '5']),
    'a loop of links': path => symlinkSync('passwd', path),
    'a sparse file of 10 GiB': path => {
      writeFileSync(path, '')
      truncateSync(path, 10 * 1024 ** 3)
    },
    'one line of 5 MiB': path => writeFileSync(path, 'x'.repeat(5 * 1024 ** 2)),
  }
  for (const [name, make] of Object.entries(plant)) {
    test(`${name}: refused at once`, () => {
      const path = join(rootfs, 'etc/passwd')
      rmSync(path)
      make(path)
      expect(() => resolve('5')).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH' }))
    })
  }

  test('a link to the host leads nowhere: the image is its own root', () => {
    const canary = `${rootfs}-canary`
    writeFileSync(canary, 'app:x:0:0::/:/bin/sh\n')
    try {
      for (const target of [canary, `../../..${canary}`]) {
        rmSync(join(rootfs, 'etc/passwd'))
        symlinkSync(target, join(rootfs, 'etc/passwd'))
        expect(() => resolve('app')).toThrow(/no user "app"/)
      }
    } finally {
      rmSync(canary)
    }
  })

  test('a link inside the image is followed, as images do have it', () => {
    rmSync(join(rootfs, 'etc/passwd'))
    mkdirSync(join(rootfs, 'usr/lib'), { recursive: true })
    writeFileSync(join(rootfs, 'usr/lib/passwd'), PASSWD)
    symlinkSync('/usr/lib/passwd', join(rootfs, 'etc/passwd'))
    expect(ids('app')).toBe('1000:1001 1001,63,44')
  })
})
