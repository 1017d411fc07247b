/** `tspod image rm` and `tspod image prune` in a store that others use as well. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, podText, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const sh = async (line: string): Promise<string> => {
  const { exitCode, stdout, stderr } = await cell.sh(line)
  if (exitCode !== 0) throw new Error(`${line}: ${stderr}`)
  return stdout
}
const named = async (): Promise<string[]> =>
  (await succeeds(cell, ['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}'])).split('\n').filter(Boolean).sort()

/** An image that differs from the demo image, with these names: what a container has written. */
async function another(...names: [string, ...string[]]): Promise<string> {
  await succeeds(cell, ['kube', 'play', '-'], {
    input: podText('maker', { script: `echo ${names[0]} >/mark; sleep 1000` }),
  })
  const id = (await succeeds(cell, ['commit', '-q', 'maker-c1', names[0]])).trim()
  for (const name of names.slice(1)) await sh(`containers-storage add-names --name ${name} ${id}`)
  await succeeds(cell, ['kube', 'down', '-'], { input: podText('maker') })
  return id
}

test('a name is taken from an image, and the last one takes the image with it', async () => {
  const id = await another('localhost/other:1', 'localhost/other:2', 'localhost/other:latest')
  expect(await succeeds(cell, ['image', 'rm', 'other:1'])).toBe('Untagged: localhost/other:1\n')
  expect(await succeeds(cell, ['rmi', 'localhost/other'])).toBe('Untagged: localhost/other:latest\n')
  await sh(`containers-storage add-names --name localhost/third:1 ${id}`)
  const several = await tspod(cell, ['image', 'rm', id.slice(0, 12)])
  expect([several.exitCode, several.stderr]).toEqual([2, expect.stringContaining('by ID with more than one tag')])
  expect(await succeeds(cell, ['image', 'rm', '-f', id.slice(0, 12)])).toBe(
    `Untagged: localhost/other:2\nUntagged: localhost/third:1\nDeleted: ${id}\n`,
  )
  expect(await named()).toEqual([DEMO_IMAGE])
  const events = await succeeds(cell, ['events', '--stream=false', '--filter', 'type=image', '--format', '{{.Status}}'])
  expect(events.split('\n').filter(Boolean).slice(-3)).toEqual(['untag', 'untag', 'remove'])
  expect((await tspod(cell, ['image', 'rm', 'none', DEMO_IMAGE.replace('demo', 'none')])).exitCode).toBe(1)
  expect(await succeeds(cell, ['image', 'rm', '-i', 'none'])).toBe('')
}, 60_000)

test('what a container of anybody uses stays', async () => {
  const id = await another('localhost/other:1')
  await sh(`containers-storage create-container --name foreign ${id}`)
  const foreign = await tspod(cell, ['image', 'rm', 'localhost/other:1'])
  expect([foreign.exitCode, foreign.stderr]).toEqual([2, expect.stringContaining('a container of another program')])
  await succeeds(cell, ['kube', 'play', '-'], { input: podText('web') })
  await succeeds(cell, ['pod', 'stop', 'web'])
  const own = await tspod(cell, ['image', 'rm', DEMO_IMAGE])
  expect([own.exitCode, own.stderr]).toEqual([2, expect.stringContaining('is in use by container web-c1')])
  expect(await succeeds(cell, ['image', 'prune', '--all'])).toBe('')
  expect(await named()).toEqual(['localhost/other:1', DEMO_IMAGE])
  await sh('containers-storage delete-container foreign')
  expect(await succeeds(cell, ['image', 'prune'])).toBe('')
  expect(await succeeds(cell, ['image', 'prune', '--all'])).toBe(`${id}\n`)
}, 60_000)
