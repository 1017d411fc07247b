import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { schemaText } from '../../../scripts/generate-schema.ts'
import { support } from '../../../src/kube/index.ts'
import { entryOf, fieldsOf, itemOf, knownKinds } from '../../../src/kube/schema/schema.ts'
import { PLAYED_KINDS } from '../../../src/kube/schema/support.ts'

const ROOTS = Object.keys(PLAYED_KINDS).filter(kind => kind !== 'List')

/** Every TYPE.FIELD that a document may hold: below what is honoured, as deep as it goes. */
function reachable(): Set<string> {
  const verdicts = new Map(support().map(row => [row.path, row]))
  const paths = new Set<string>()
  const queue = [...ROOTS]
  const seen = new Set<string>()
  for (let type = queue.shift(); type !== undefined; type = queue.shift()) {
    if (seen.has(type)) continue
    seen.add(type)
    for (const [field, { type: code }] of fieldsOf(type) ?? []) {
      paths.add(`${type}.${field}`)
      const inner = itemOf(code) ?? entryOf(code) ?? code
      const row = verdicts.get(`${type}.${field}`)
      if ((row?.verdict === 'honoured' || row?.later) && fieldsOf(inner) !== undefined) queue.push(inner)
    }
  }
  return paths
}

/** The text without its line breaks, which are the formatter's. */
const words = (text: string): string[] => text.split(/\s+/).filter(Boolean)

describe('the schema', () => {
  test('is what the installed client says', async () => {
    const written = readFileSync(new URL('../../../src/kube/schema/schema.generated.ts', import.meta.url), 'utf8')
    expect(words(written)).toEqual(words(await schemaText()))
  }, 30_000)

  test('has no field whose name is a part of every object', () => {
    expect(fieldsOf('toString')).toBeUndefined()
    expect(fieldsOf('Pod')?.get('constructor')).toBeUndefined()
  })

  test('knows the kinds by name', () => {
    expect(knownKinds).toEqual(expect.arrayContaining(['Pod', 'Service', 'Ingress', 'ReplicationController']))
  })
})

describe('the table of verdicts', () => {
  const paths = support().map(row => row.path)

  test('has one row for every field that can be written', () => {
    expect([...reachable()].filter(path => !paths.includes(path))).toEqual([])
  })

  test('has no row twice and none for a field that does not exist', () => {
    expect(paths.filter((path, index) => paths.indexOf(path) !== index)).toEqual([])
    const known = reachable()
    expect(paths.filter(path => !known.has(path))).toEqual([])
  })

  test('says why a field has no effect, and what to do when it is refused', () => {
    expect(support().filter(row => row.verdict !== 'honoured' && row.note === '')).toEqual([])
  })
})
