import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { makeStage } from '../../../../src/engine/inside/stage.ts'
import { processStart } from '../../../../src/files.ts'
import { type Paths, pathsFor } from '../../../../src/paths.ts'

let root: string
let paths: Paths
beforeEach(() => {
  root = mkdtempSync('/tmp/tspod-stage-')
  paths = pathsFor(root, root)
})
afterEach(() => rmSync(root, { recursive: true }))

test('a directory for its owner alone, gone when it is removed', async () => {
  const stage = await makeStage({ paths })
  expect(statSync(stage.directory).mode & 0o777).toBe(0o700)
  expect(stage.directory.startsWith(join(root, 'tmp/'))).toBe(true)
  writeFileSync(join(stage.directory, 'x'), '')
  await stage.remove()
  expect(readdirSync(root)).toEqual([])
})

test('many come and go side by side', async () => {
  const turns = Array.from({ length: 200 }, async () => {
    const stage = await makeStage({ paths })
    writeFileSync(join(stage.directory, 'x'), '')
    await stage.remove()
  })
  await Promise.all(turns)
  expect(readdirSync(root)).toEqual([])
})

test('what a killed process left is removed, and nothing of one that lives', async () => {
  const living = `${process.ppid}-${processStart(process.ppid)}-a`
  for (const name of [living, `${process.ppid}-1-b`, '4194305-7-c']) {
    mkdirSync(join(root, 'tmp', name, 'full'), { recursive: true })
  }
  const [one, two] = [await makeStage({ paths }), await makeStage({ paths })]
  expect([one, two].every(({ directory }) => existsSync(directory))).toBe(true)
  expect(readdirSync(join(root, 'tmp'))).toHaveLength(3)
  expect(existsSync(join(root, 'tmp', living, 'full'))).toBe(true)
})
