/** `tspod explain` and the text behind it. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { supportText } from '../../../scripts/generate-support.ts'
import { type ExplainOptions, explain, listKinds, support } from '../../../src/kube/index.ts'
import { parseMeanings } from '../../../src/kube/schema/meanings.ts'
import { fieldsOf } from '../../../src/kube/schema/schema.ts'
import { PLAYED_KINDS } from '../../../src/kube/schema/support.ts'

const TEXT = readFileSync(new URL('../../../templates/fields.txt', import.meta.url), 'utf8')
const OPTIONS: ExplainOptions = { meanings: TEXT, recursive: false }

describe('the meanings of fields', () => {
  const meanings = parseMeanings(TEXT)

  test('are told of every field that is honoured or kept for later', () => {
    const told = support().filter(({ verdict, later }) => verdict === 'honoured' || later)
    expect(told.map(({ path }) => path).filter(path => !meanings.get(path)?.text)).toEqual([])
  })

  test('are told of no field that does not exist', () => {
    const isKnown = (path: string): boolean => {
      const [type = '', field] = path.split('.')
      return (
        type === 'List' || (field === undefined ? fieldsOf(type) !== undefined : fieldsOf(type)?.has(field) === true)
      )
    }
    expect([...meanings.keys()].filter(path => !isKnown(path))).toEqual([])
  })

  test('a line that is no field is a mistake, with its number', () => {
    expect(() => parseMeanings('[Pod] A pod.\nspec X What runs.')).toThrow('fields.txt:2: spec X What runs.')
  })
})

test('docs/kubernetes.md is what the table says: run node scripts/generate-support.ts', () => {
  expect(readFileSync(new URL('../../../docs/kubernetes.md', import.meta.url), 'utf8')).toBe(supportText())
})

describe('explain', () => {
  test('tells of a field as kubectl does, with the verdict and what Podman does', () => {
    expect(explain('pod.spec.containers.livenessProbe.periodSeconds', OPTIONS)).toBe(`KIND:       Pod
VERSION:    v1

FIELD: periodSeconds <integer>

DESCRIPTION:
    Time between questions.

VERDICT:  honoured
PODMAN:   yes
DEFAULT:  10
`)
  })

  test('tells what is below a field, with a verdict where it is not honoured', () => {
    const text = explain('deploy.spec', OPTIONS)
    expect(text).toContain('GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n')
    expect(text).toContain('  template\t<PodTemplateSpec> -required-\n    What each pod is.\n')
    expect(text).toContain('  paused\t<boolean>\n    Here accepted without effect: pods are replaced')
  })

  test('shows the whole tree with --recursive', () => {
    const text = explain('pod', { ...OPTIONS, recursive: true })
    expect(text).toContain('\n    containers\t<[]Container> -required-\n      args\t<[]string>\n')
    expect(text).toContain('\n    affinity\t<Affinity> (accepted)\n')
  })

  test.each<[path: string, message: string, remedy: string]>([
    ['pod.spec.container', 'PodSpec has no field "container"', 'did you mean "containers"?'],
    ['pod.spec.xyzzy', 'PodSpec has no field "xyzzy"', 'see `tspod explain pod.spec`'],
    ['pod.spec.hostname.a', 'string has no field "a"', 'see `tspod explain pod.spec.hostname`'],
    ['deploymnt', 'no kind "deploymnt" that tspod plays', 'did you mean "deployment"?'],
    ['pod.constructor', 'Pod has no field "constructor"', 'see `tspod explain pod`'],
  ])('%s: %s', (path, message, remedy) => {
    expect(() => explain(path, OPTIONS)).toThrow(expect.objectContaining({ code: 'USAGE', message, remedy }))
  })

  test.each(['pods', 'po', 'POD', 'pod'])('%s is a Pod', name => {
    expect(explain(name, OPTIONS)).toContain('KIND:       Pod\n')
  })

  test('every field of every kind can be explained', () => {
    for (const kind of Object.keys(PLAYED_KINDS).filter(name => name !== 'List'))
      expect(explain(kind, { ...OPTIONS, recursive: true })).not.toContain('undefined')
  })

  test('lists the kinds', () => {
    expect(listKinds(TEXT)).toMatch(/^Pod {3,}Containers that share/)
    expect(listKinds(TEXT)).toMatch(/^Namespace +accepted without effect: /m)
  })
})
