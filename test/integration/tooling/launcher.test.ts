/** bin/tspod: which Node it starts, with what environment. The Node here is a script that tells what it was given. */
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'

const LAUNCHER = join(import.meta.dirname, '..', '..', '..', 'bin', 'tspod')
const TELLING_NODE = '#!/bin/sh\nprintf "%s\\n" "$@"\necho "umask $(umask)"\nexec /usr/bin/env\n'

let home: string
let launcher: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tspod launcher '))
  for (const folder of ['bin', 'dist', 'node/bin']) mkdirSync(join(home, folder), { recursive: true })
  launcher = join(home, 'bin', 'tspod')
  copyFileSync(LAUNCHER, launcher)
  writeFileSync(join(home, 'dist', 'tspod.cjs'), '')
  writeFileSync(join(home, 'node', 'bin', 'node'), TELLING_NODE, { mode: 0o755 })
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const told = (program: string, args: string[], env: Record<string, string>): string[] =>
  execFileSync(program, args, { encoding: 'utf8', env }).split('\n')

test('what would change Node or the tools it starts does not get through', () => {
  const hostile = {
    ...{ NODE_OPTIONS: '--require=/tmp/x.js', NODE_PATH: '/tmp', NODE_EXTRA_CA_CERTS: '/tmp/x' },
    ...{ NODE_COMPILE_CACHE: '/tmp/cache', OPENSSL_CONF: '/tmp/x', IFS: '/', ENV: '/tmp/x', BASH_ENV: '/tmp/x' },
    ...{ LD_LIBRARY_PATH: '/tmp', CDPATH: '/tmp', PATH: '/tmp', STORAGE_DRIVER: 'vfs', CONTAINERS_CONF: '/tmp/x' },
  }
  const lines = told(launcher, ['ps'], hostile)
  const names = lines.filter(line => line.includes('=')).map(line => line.split('=')[0])
  // The script is a shell, which sets PWD by itself.
  expect(names.filter(name => name !== 'PWD').sort()).toEqual(['PATH'])
  expect(lines).toContain('PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
})

test('what tspod reads gets through unchanged, even when empty or odd', () => {
  const wanted = {
    ...{ HOME: '/a b', TERM: 'xterm', NO_COLOR: '', LANG: 'C.UTF-8', TSPOD_LOG: 'debug', TZ: 'UTC' },
    ...{ NOTIFY_SOCKET: '@/x', INVOCATION_ID: '1', LISTEN_FDS: '1', LISTEN_PID: '2', LISTEN_FDNAMES: 'a:b' },
    ...{ XDG_RUNTIME_DIR: '/run/user/0', REGISTRY_AUTH_FILE: '/auth $(id) `id`.json', KUBECONFIG: '/k' },
    ...{ http_proxy: 'http://p', HTTPS_PROXY: 'http://p\'"', no_proxy: '*' },
  }
  const lines = told(launcher, ['ps'], wanted)
  expect(lines).toEqual(expect.arrayContaining(Object.entries(wanted).map(([name, value]) => `${name}=${value}`)))
})

test('arguments arrive as they are, and nobody else may read what is written', () => {
  const lines = told(launcher, ['exec', '', 'a  b', '$HOME', '-n'], {})
  expect(lines.slice(1, 6)).toEqual(['exec', '', 'a  b', '$HOME', '-n'])
  expect(lines).toContain('umask 0077')
})

test('Node has more room for what holds all manifests at once, and for nothing else', () => {
  const sizes = ['--min-semi-space-size=8', '--initial-old-space-size=64']
  for (const args of [['apply', '-f', 'a b'], ['diff'], ['gitops', 'reconcile']]) {
    const lines = told(launcher, args, {})
    expect(lines.slice(0, 3 + args.length)).toEqual([...sizes, `${home}/bin/../dist/tspod.cjs`, ...args])
  }
  for (const args of [['container', 'cleanup', 'apply'], ['kube', 'play'], []]) {
    expect(told(launcher, args, {})[0]).toBe(`${home}/bin/../dist/tspod.cjs`)
  }
})

test('it works through a link from anywhere', () => {
  const link = join(home, 'elsewhere')
  symlinkSync('bin/tspod', link)
  expect(told(link, [], {})[0]).toBe(`${home}/bin/../dist/tspod.cjs`)
})

test('without a build it says what to do', () => {
  rmSync(join(home, 'dist', 'tspod.cjs'))
  const { status, stderr } = spawnSync(launcher, ['ps'], { encoding: 'utf8' })
  expect(status).toBe(125)
  expect(stderr).toMatch(/^Error: tspod is not built: run `make build` in .*\n$/)
})
