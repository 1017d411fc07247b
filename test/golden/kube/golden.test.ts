/**
 * One folder, one case: input.yaml, optionally options.json, and what comes of it: expected.json (the bundle and
 * the notes) or expected.txt (the errors). `UPDATE_GOLDEN=1` writes what is expected from what is; read the diff.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { isTspodError } from '../../../src/errors.ts'
import { type TranslateOptions, translate } from '../../../src/kube/index.ts'

const HERE = import.meta.dirname
const cases = readdirSync(HERE, { withFileTypes: true }).filter(entry => entry.isDirectory())

const DEFAULTS: TranslateOptions = {
  configMaps: [],
  annotations: {},
  publish: [],
  publishAll: false,
  noHosts: false,
  storedSecret: () => undefined,
  baseDirectory: '/manifests',
}

describe('golden manifests', () => {
  for (const { name } of cases) {
    test(name.replaceAll('-', ' '), () => {
      const { file, text } = outcome(join(HERE, name))
      const path = join(HERE, name, file)
      if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text)
      expect(text).toBe(existsSync(path) ? readFileSync(path, 'utf8') : `no ${file}: run with UPDATE_GOLDEN=1`)
    })
  }
})

function outcome(folder: string): { file: string; text: string } {
  const given = join(folder, 'options.json')
  const options = existsSync(given) ? (JSON.parse(readFileSync(given, 'utf8')) as Partial<TranslateOptions>) : {}
  const source = { file: 'input.yaml', text: readFileSync(join(folder, 'input.yaml'), 'utf8') }
  try {
    const translation = translate([source], { ...DEFAULTS, ...options })
    return { file: 'expected.json', text: `${JSON.stringify(translation, null, 2)}\n` }
  } catch (error) {
    if (!isTspodError(error)) throw error
    return { file: 'expected.txt', text: `${error.message}\n\n${error.details ?? error.remedy}\n` }
  }
}
