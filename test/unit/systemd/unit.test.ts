import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { attributeOf } from '../../../src/syscalls.ts'
import { standingIn } from '../../../src/systemd/unit.ts'

const APP = '/system.slice/system-tspod\\x2dkube.slice/tspod-kube@app.service'
const unit = { name: 'tspod-kube@app.service', cgroup: APP }

describe('the unit a process is in, by its cgroup', () => {
  test.each<[name: string, text: string, controllers: '' | 'name=systemd', found: unknown]>([
    ['right in a service', `0::${APP}\n`, '', { unit, inner: '' }],
    ['among its helpers', `0::${APP}/control\n`, '', { unit, inner: 'control' }],
    ['as a command that stops or reloads it', `0::${APP}/.control\n`, '', { unit, inner: '.control' }],
    ['in a pod of it', `0::${APP}/pod-web-0123456789ab/c1\n`, '', undefined],
    ['in a session', '0::/user.slice/user-0.slice/session-3.scope\n', '', undefined],
    ['in a scope below a service', '0::/user.slice/user-0.slice/user@0.service/app.slice/vte-1.scope\n', '', undefined],
    ['in a slice of a service', '0::/user.slice/user-0.slice/user@0.service/app.slice\n', '', undefined],
    [
      'in a service of a user’s manager',
      '0::/user.slice/user-0.slice/user@0.service/app.slice/web.service\n',
      '',
      {
        unit: { name: 'web.service', cgroup: '/user.slice/user-0.slice/user@0.service/app.slice/web.service' },
        inner: '',
      },
    ],
    [
      'under a name systemd had to escape',
      '0::/system.slice/_cpu.service\n',
      '',
      expect.objectContaining({
        unit: { name: 'cpu.service', cgroup: '/system.slice/_cpu.service' },
      }),
    ],
    ['on v1', `5:memory:/\n1:name=systemd:${APP}\n`, 'name=systemd', { unit, inner: '' }],
    ['on v1, asked for v2', `1:name=systemd:${APP}\n`, '', undefined],
    ['in the root', '0::/\n', '', undefined],
    ['nowhere', '', '', undefined],
  ])('%s', (_, text, controllers, found) => expect(standingIn(text, controllers)).toEqual(found))
})

describe('an extended attribute', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tspod-attribute-'))
  afterAll(() => rmSync(directory, { recursive: true }))

  test('that is not there is undefined, and so is one of nothing', () => {
    expect(attributeOf(directory, 'trusted.delegate')).toBeUndefined()
    expect(attributeOf(join(directory, 'none'), 'trusted.delegate')).toBeUndefined()
  })
})
