import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { sharedWith } from '../../support/cell.ts'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, launcher, readyCell, succeeds, takeDownAll } from '../../support/tspod.ts'

jest.setTimeout(120_000)

let cell: Place
let directory: string

beforeAll(async () => {
  cell = await readyCell()
  directory = sharedWith(cell)
}, 60_000)
afterAll(() => cell?.remove())

/** A directory to build the image `greeter` from, which says `word` when it runs. */
function writeContainerfile(root: string, word: string): void {
  const context = join(root, 'greeter')
  mkdirSync(context, { recursive: true })
  writeFileSync(join(context, 'word'), `${word}\n`)
  writeFileSync(join(context, 'Containerfile'), `FROM ${DEMO_IMAGE}\nCOPY word /word\nCMD ["cat", "/word"]\n`)
}

const POD = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'greet' },
  spec: {
    restartPolicy: 'Never',
    containers: [{ name: 'c', image: 'greeter', imagePullPolicy: 'IfNotPresent' }],
  },
})

/** `kube play ARGS -` with the working directory that builds are looked for in. */
const play = (...args: string[]) =>
  cell.exec(['sh', '-c', `cd ${directory} && exec "$@"`, 'sh', launcher(cell), 'kube', 'play', ...args, '-'], {
    input: POD,
  })

async function said(...args: string[]): Promise<string> {
  expect(await play(...args)).toMatchObject({ exitCode: 0 })
  await succeeds(cell, ['wait', 'greet-c'])
  const text = await succeeds(cell, ['logs', 'greet-c'])
  await takeDownAll(cell)
  return text.trim()
}

test('images are built where there is something to build them from: missing ones, all with --build, none with =false', async () => {
  expect(await play('--build=false')).toMatchObject({ exitCode: 125 })
  writeContainerfile(directory, 'first')
  expect(await said()).toBe('first')
  writeContainerfile(directory, 'second')
  expect(await said()).toBe('first')
  expect(await said('--build=false')).toBe('first')
  expect(await said('--build')).toBe('second')
  const elsewhere = join(directory, 'elsewhere')
  writeContainerfile(elsewhere, 'third')
  expect(await said('--build', '--context-dir', elsewhere)).toBe('third')
})

test('a build that fails says which file and why, and nothing is created', async () => {
  const broken = join(directory, 'broken')
  mkdirSync(join(broken, 'greeter'), { recursive: true })
  writeFileSync(join(broken, 'greeter/Dockerfile'), `FROM ${DEMO_IMAGE}\nCOPY nothing /here\n`)
  const { exitCode, stderr } = await play('--build', '--context-dir', broken)
  expect(exitCode).toBe(125)
  expect(stderr).toContain(`cannot build greeter from ${broken}/greeter/Dockerfile: `)
  expect(stderr).toContain('nothing')
  expect(await succeeds(cell, ['pod', 'ps', '-q'])).toBe('')
})
