import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { namesIn } from '../../../src/kube/index.ts'
import { portsClash } from '../../../src/kube/pod/ports.ts'
import { translated } from './world.ts'

const EXAMPLES = join(import.meta.dirname, '../../../examples/manifests')
const files = globSync('*.yaml', { cwd: EXAMPLES }).sort()
const read = (file: string): string => readFileSync(join(EXAMPLES, file), 'utf8')

describe('examples', () => {
  test('are numbered from 01', () => {
    expect(files.map(file => file.slice(0, 3))).toEqual(files.map((_, index) => `${`${index + 1}`.padStart(2, '0')}-`))
  })

  for (const file of files) {
    test(`${file} translates, and down knows its pods`, () => {
      const { bundle } = translated(read(file))
      expect(namesIn([{ file, text: read(file) }]).pods).toEqual(bundle.pods.map(pod => pod.name))
    })
  }

  test('can all run side by side: no name and no host port twice', () => {
    const pods = files.flatMap(file => translated(read(file)).bundle.pods)
    expect(new Set(pods.map(pod => pod.name)).size).toBe(pods.length)
    const ports = pods.flatMap(pod => pod.containers).flatMap(container => container.ports)
    expect(ports.filter((a, index) => ports.slice(index + 1).some(b => portsClash(a, b)))).toEqual([])
  })
})
