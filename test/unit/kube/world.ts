/** What the tests of the translator share. */
import { isTspodError } from '../../../src/errors.ts'
import { type TranslateOptions, type Translation, translate } from '../../../src/kube/index.ts'
import type { ContainerSpec, PodSpec } from '../../../src/model.ts'

const OPTIONS: TranslateOptions = { baseDirectory: '/base' }

/** Translates one text with some options changed. */
export function translated(text: string, options: Partial<TranslateOptions> = {}): Translation {
  return translate([{ file: 'app.yaml', text }], { ...OPTIONS, ...options })
}

/** The heads of all issues, `line:column CODE path`; none when the text translates. */
export function issuesOf(text: string, options: Partial<TranslateOptions> = {}): string[] {
  return detailsOf(text, options)
    .split('\n')
    .filter(line => line.startsWith('app.yaml:'))
    .map(line => line.replace('app.yaml:', '').replace(' error', ''))
}

/** The full text of all issues; empty when the text translates. */
export function detailsOf(text: string, options: Partial<TranslateOptions> = {}): string {
  try {
    translated(text, options)
    return ''
  } catch (error) {
    if (isTspodError(error, 'MANIFEST_INVALID')) return error.details ?? error.message
    throw error
  }
}

/** A pod in flow style: what is given goes into spec, and into the only container. */
export function podText(spec: string, container = ''): string {
  const main = `{name: main, image: "app:1"${container === '' ? '' : `, ${container}`}}`
  return `apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\nspec: {containers: [${main}]${spec === '' ? '' : `, ${spec}`}}\n`
}

/** The only pod of a text that translates. */
export function podOf(text: string, options: Partial<TranslateOptions> = {}): PodSpec {
  const [pod] = translated(text, options).bundle.pods
  if (pod === undefined) throw new Error('no pod')
  return pod
}

/** The first container of the only pod. */
export function containerOf(text: string, options: Partial<TranslateOptions> = {}): ContainerSpec {
  const [container] = podOf(text, options).containers
  if (container === undefined) throw new Error('no container')
  return container
}
