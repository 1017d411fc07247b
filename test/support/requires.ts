/** Tests that need something of the host say so, and are reported as skipped, with the reason, where it is absent. */
import { test } from '@jest/globals'

/**
 * `test` when `lack` is undefined; otherwise a test of the same name that is skipped, with the reason (a phrase
 * such as "CAP_SYS_RESOURCE is missing") as the end of its name.
 */
export function testUnless(lack: string | undefined): (name: string, body: () => Promise<void> | void) => void {
  if (lack === undefined) return (name, body) => test(name, body)
  return (name, body) => test.skip(`${name} (skipped: ${lack})`, body)
}
