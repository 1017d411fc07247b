import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { PodWork } from '../../../../src/engine/context.ts'
import { endScope } from '../../../../src/engine/run/scope.ts'

let mount: string
beforeEach(() => {
  mount = mkdtempSync(join(tmpdir(), 'tspod-scope-'))
  mkdirSync(join(mount, 'machine.slice/pod.scope'), { recursive: true })
})
afterEach(() => rmSync(mount, { recursive: true, force: true }))

const SCOPE = { unit: 'pod.scope', slice: 'machine.slice', description: '' }

/** What was done, with a folder in place of a cgroup. `sleep`: what happens in a pause. */
async function ended(how: { bare?: true; stop?: () => void; sleep?: () => void } = {}): Promise<string[]> {
  const done: string[] = []
  const context = {
    hierarchies: [{ version: 2, mount, controllers: '' }],
    manager: {
      stopUnit: async (unit: string) => {
        done.push(`stop ${unit}`)
        how.stop?.()
      },
    },
    clock: { sleep: async () => how.sleep?.() },
    note: (text: string) => void done.push(text),
  }
  const cgroup = { path: '/machine.slice/pod.scope', control: '', ...(!how.bare && { scope: SCOPE }) }
  await endScope({ context, cgroup } as unknown as PodWork)
  return [...done, existsSync(join(mount, 'machine.slice/pod.scope')) ? 'there' : 'gone']
}

test('systemd ends it by itself: it is not asked', async () => {
  expect(await ended({ sleep: () => rmSync(join(mount, 'machine.slice/pod.scope'), { recursive: true }) })).toEqual([
    'gone',
  ])
})

test('systemd has forgotten it: what it has left is removed', async () => {
  expect(await ended()).toEqual(['stop pod.scope', 'gone'])
})

test('a pod without a scope has none that ends', async () => {
  expect(await ended({ bare: true })).toEqual(['there'])
})

test('whoever is in it himself leaves it alone', async () => {
  writeFileSync(join(mount, 'machine.slice/pod.scope/cgroup.procs'), `${process.pid}\n`)
  expect(await ended()).toEqual(['there'])
})

test('what cannot be asked is noted, and keeps no pod from going', async () => {
  const stop = (): void => {
    throw new Error('there is no bus')
  }
  expect(await ended({ stop })).toEqual(['stop pod.scope', 'pod.scope has not ended: there is no bus', 'there'])
})
