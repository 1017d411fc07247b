/** Broken manifests, one for each class of mistake, with all that is said about them. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { examine } from '../../../src/kube/index.ts'

const HERE = import.meta.dirname
const OPTIONS = { baseDirectory: '/base' }

describe('broken manifests are explained', () => {
  for (const file of readdirSync(HERE).filter(name => name.endsWith('.yaml'))) {
    test(file.replace(/^\d+-|\.yaml$/g, '').replaceAll('-', ' '), () => {
      const { text, mistakes } = examine([{ file, text: readFileSync(join(HERE, file), 'utf8') }], OPTIONS)
      const path = join(HERE, file.replace(/yaml$/, 'txt'))
      if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, `${text}\n`)
      expect(`${text}\n`).toBe(existsSync(path) ? readFileSync(path, 'utf8') : 'run with UPDATE_GOLDEN=1')
      expect(mistakes.length).toBeGreaterThan(0)
      for (const mistake of mistakes) expect(`${mistake.message} ${mistake.remedy ?? ''}`).toMatch(/\w.* \w/)
    })
  }
})
