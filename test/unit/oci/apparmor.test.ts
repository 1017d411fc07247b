/**
 * AppArmor profiles. The kernels of development machines have none: the parser is a double that keeps what it is given,
 * and the list of loaded profiles a file. The real parser reads the profile where it is installed.
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { AppArmorSpec } from '../../../src/model.ts'
import { appArmorProfile, defaultProfile } from '../../../src/oci/apparmor.ts'
import { findProgram } from '../../../src/oci/index.ts'
import { run } from '../../../src/process.ts'
import { testUnless } from '../../support/requires.ts'

const TEMPLATE = join(import.meta.dirname, '../../../templates/apparmor-profile.txt')
const DEFAULT = defaultProfile(readFileSync(TEMPLATE, 'utf8'))

let root: string
const at = (name: string): string => join(root, name)
beforeEach(() => {
  root = mkdtempSync('/tmp/tspod-apparmor-')
  writeFileSync(at('loaded'), 'snap.x (enforce)\nweb (complain)\n')
  // What it is given becomes a loaded profile.
  writeFileSync(
    at('parser'),
    `#!/bin/sh\necho "$*" >>${root}/calls\nsed -n 's/^profile \\([^ ]*\\) .*/\\1 (enforce)/p' >>${root}/loaded\n`,
  )
  chmodSync(at('parser'), 0o755)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const places = () => ({ loaded: at('loaded'), parser: at('parser') })
const profileOf = (appArmor?: AppArmorSpec, privileged = false) =>
  appArmorProfile({ ...(appArmor && { appArmor }), privileged }, TEMPLATE, run, places())
const calls = (): string => (existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8') : '')

describe('a container on a host with AppArmor', () => {
  test('runs under the default profile, which is loaded once', async () => {
    expect(await profileOf()).toBe(DEFAULT.name)
    expect(await profileOf({ type: 'RuntimeDefault' })).toBe(DEFAULT.name)
    expect(calls()).toBe('--replace --skip-cache --quiet\n')
    expect(readFileSync(at('loaded'), 'utf8')).toContain(`\n${DEFAULT.name} (enforce)\n`)
  })

  test('runs under none when it is privileged or says so, and nothing is loaded for it', async () => {
    expect(await profileOf(undefined, true)).toBeUndefined()
    expect(await profileOf({ type: 'Unconfined' })).toBeUndefined()
    expect(calls()).toBe('')
  })

  test('runs under a profile by name if that is loaded', async () => {
    expect(await profileOf({ type: 'Localhost', profile: 'web' })).toBe('web')
    await expect(profileOf({ type: 'Localhost', profile: 'we' })).rejects.toMatchObject({
      code: 'HOST_LACKS',
      message: 'the AppArmor profile we is not loaded',
    })
    expect(calls()).toBe('')
  })

  test('does not run where the default cannot be loaded', async () => {
    writeFileSync(at('parser'), '#!/bin/sh\necho no such feature >&2; exit 1\n')
    await expect(profileOf()).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: expect.stringContaining('no such feature'),
    })
  })
})

test('another text has another name, by which its own rules call it', () => {
  const other = defaultProfile(`${readFileSync(TEMPLATE, 'utf8')}# more\n`)
  expect(other.name).not.toBe(DEFAULT.name)
  expect(DEFAULT.text.match(/tspod-default[^ ,]*/g)).toEqual(Array(3).fill(DEFAULT.name))
})

testUnless(findProgram('apparmor_parser') === undefined ? 'apparmor_parser is not installed' : undefined)(
  'the real parser takes the default profile',
  async () => {
    const parsed = await run({ argv: ['apparmor_parser', '-QKS'], input: DEFAULT.text })
    expect([parsed.exitCode, parsed.stderr]).toEqual([0, expect.not.stringContaining('error')])
  },
)
