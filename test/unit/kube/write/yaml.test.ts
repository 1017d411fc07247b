import { describe, expect, test } from '@jest/globals'
import { namesIn, translate } from '../../../../src/kube/index.ts'
import { manifestText } from '../../../../src/kube/write/yaml.ts'

/** Texts that a reader of YAML 1.1 or 1.2 would take for something else when they are not quoted. */
const TEXTS = [
  ...['yes', 'No', 'on', 'OFF', 'y', 'n', 'true', 'null', '~', '', ' ', '0644', '0o17', '0x1f', '1_000', '1e3', '.5'],
  ...[
    '12:30:45',
    '2026-11-25',
    '<<',
    '=',
    '- a',
    'a: b',
    '# no comment',
    '*alias',
    '&anchor',
    '!tag',
    '%x',
    '@x',
    '`x',
  ],
  ...['a\nb', 'trailing \n\n', '\ttab', '"quoted"', "it's", '\\', '\u0007', '\u2028', 'ünï', '🙂', '---', '...'],
]

test.each(TEXTS.map(text => [text]))('%j is read again as it was', text => {
  const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' }, stringData: { k: text } }
  const { bundle } = translate([{ file: 'a.yaml', text: manifestText([object]) }], { baseDirectory: '/' })
  expect(Buffer.from(bundle.secrets[0]?.data.k ?? '', 'base64').toString()).toBe(text)
})

describe('documents', () => {
  const pod = { kind: 'Pod', spec: { containers: [] }, metadata: { labels: { name: 'b', a: 'c' }, name: 'p' } }

  test('begin with what people look for, and leave the order of free keys alone', () => {
    expect(manifestText([pod])).toBe(
      'kind: Pod\nmetadata:\n  name: p\n  labels:\n    name: b\n    a: c\nspec:\n  containers: []\n',
    )
  })

  test('follow one another, with the comment before the first', () => {
    const text = manifestText([pod, { ...pod, metadata: { name: 'q' } }], 'made by hand')
    expect(text).toMatch(/^# made by hand\nkind: Pod\n/)
    expect(namesIn([{ file: 'a.yaml', text }]).pods).toEqual(['p', 'q'])
  })
})
