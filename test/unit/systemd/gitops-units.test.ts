/** Drop-ins of a source's units: a path is data, whatever it holds. */
import { expect, test } from '@jest/globals'
import { pathDropIn, timerDropIn } from '../../../src/systemd/gitops-units.ts'

test('the interval replaces that of the template', () => {
  expect(timerDropIn(90_000, false)).toMatch(/^OnUnitInactiveSec=\nOnActiveSec=1s\nOnUnitInactiveSec=90s\n$/m)
  expect(timerDropIn(90_000, true)).toContain('RandomizedDelaySec=9s\n')
})

test('paths are written as they are, specifiers as text, and what a unit file cannot hold is left to the timer', () => {
  const hostile = '/srv/x\n[Service]\nExecStart=/bin/evil'
  expect(pathDropIn(['/srv/a b/%n', '/srv/ü', hostile, '/srv/end\\', 'relative', '/srv/blank '])).toMatch(
    /\[Path\]\nPathChanged=\/srv\/a b\/%%n\nPathChanged=\/srv\/ü\n$/,
  )
})
