/**
 * One folder, one case: input.yaml, optionally options.json, and what comes of it: expected.json (the bundle and
 * the notes) or expected.txt (the errors). `UPDATE_GOLDEN=1` writes what is expected from what is; read the diff.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { isTspodError } from '../../../src/errors.ts'
import { generate, manifestText, renderBundle, type TranslateOptions, translate } from '../../../src/kube/index.ts'
import type { Bundle, PodSpec } from '../../../src/model.ts'

const HERE = import.meta.dirname
const cases = readdirSync(HERE, { withFileTypes: true }).filter(entry => entry.isDirectory())

const DEFAULTS: TranslateOptions = { baseDirectory: '/manifests' }

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

/** What `kube render` and `kube generate` write is what was played: read again it gives the same pods. */
describe('golden manifests, written and read again', () => {
  for (const { name } of cases.filter(({ name }) => existsSync(join(HERE, name, 'expected.json')))) {
    test(name.replaceAll('-', ' '), () => {
      const [bundle, options] = read(join(HERE, name))
      const again = reread(manifestText(renderBundle(bundle)), options)
      expect(again.pods.map(bare)).toEqual(bundle.pods.map(bare))
      expect(again.secrets).toEqual(bundle.secrets)
      const pods = bundle.pods.map(spec => {
        const manifest = bundle.manifests[spec.name]
        if (manifest === undefined) throw new Error(`no manifest of ${spec.name}`)
        return { spec, manifest, limits: {}, network: spec.hostNetwork ? ('host' as const) : ('bridge' as const) }
      })
      for (const pod of pods) {
        const text = manifestText(generate(pod, { type: 'pod', replicas: 1, service: false }))
        const [generated] = reread(text, { ...options, storedSecret: secret => secretOf(bundle, secret) }).pods
        expect(generated === undefined ? undefined : bare(generated)).toEqual(bare(pod.spec))
      }
    })
  }
})

/** Without where it was written, by which kind of object, and what only that object knows. */
const bare = ({ origin: _, job: __, startAfter: ___, minReadyMs: ____, ...spec }: PodSpec): object => spec

const secretOf = (bundle: Bundle, name: string) => bundle.secrets.find(secret => secret.name === name)?.data

/** Flags are in what was written already, but for those that say what may be written. */
const kept = ({ allowUnsupported, unsafeSysctls, seccompRoot }: Omit<TranslateOptions, 'storedSecret'>) => ({
  ...(allowUnsupported !== undefined && { allowUnsupported }),
  ...(unsafeSysctls !== undefined && { unsafeSysctls }),
  ...(seccompRoot !== undefined && { seccompRoot }),
})

const reread = (text: string, { storedSecret, ...options }: TranslateOptions): Bundle =>
  translate([{ file: 'again.yaml', text }], { ...DEFAULTS, storedSecret, ...kept(options) }).bundle

function read(folder: string): [Bundle, TranslateOptions] {
  const given = join(folder, 'options.json')
  const options = existsSync(given) ? (JSON.parse(readFileSync(given, 'utf8')) as Partial<TranslateOptions>) : {}
  const source = { file: 'input.yaml', text: readFileSync(join(folder, 'input.yaml'), 'utf8') }
  return [translate([source], { ...DEFAULTS, ...options }).bundle, { ...DEFAULTS, ...options }]
}

function outcome(folder: string): { file: string; text: string } {
  const given = join(folder, 'options.json')
  const options = existsSync(given) ? (JSON.parse(readFileSync(given, 'utf8')) as Partial<TranslateOptions>) : {}
  const source = { file: 'input.yaml', text: readFileSync(join(folder, 'input.yaml'), 'utf8') }
  try {
    const { bundle, notes } = translate([source], { ...DEFAULTS, ...options })
    // Manifests say once more what the input says: that they say all of it is what the next test is about.
    const { manifests, objects, ...rest } = bundle
    expect(Object.keys(manifests)).toEqual(bundle.pods.map(pod => pod.name))
    // What documents say of themselves as objects is for those cases that are about it.
    const shown = basename(folder).startsWith('apply') ? { ...rest, objects } : rest
    return { file: 'expected.json', text: `${JSON.stringify({ bundle: shown, notes }, null, 2)}\n` }
  } catch (error) {
    if (!isTspodError(error)) throw error
    return { file: 'expected.txt', text: `${error.message}\n\n${error.details ?? error.remedy}\n` }
  }
}
