/** Variables in manifests: what is one, what is left alone, where a mistake is, and that no value is told. */
import { describe, expect, test } from '@jest/globals'
import { isTspodError, type TspodError } from '../../../src/errors.ts'
import { fillIn, translate, unfilled } from '../../../src/kube/index.ts'

const VARIABLES = new Map([
  ['HOST', 'alpha'],
  ['_x9', 'nine'],
  ['EMPTY', ''],
  ['DOLLAR', '${HOST}'],
])

const filled = (text: string): string | undefined => fillIn([{ file: 'a.yaml', text }], VARIABLES, '/etc/vars')[0]?.text

function failing(work: () => unknown): TspodError {
  try {
    work()
  } catch (error) {
    if (isTspodError(error)) return error
    throw error
  }
  throw new Error('nothing was wrong')
}

test.each([
  ['a: ${HOST}', 'a: alpha'],
  ['a: ${HOST}${_x9} and "${HOST}"', 'a: alphanine and "alpha"'],
  ['${HOST}: b', 'alpha: b'],
  ['a: ${NONE:-stand in}', 'a: stand in'],
  ['a: ${NONE:-}.', 'a: .'],
  ['a: ${HOST:-other}', 'a: alpha'],
  ['a: "${EMPTY}"', 'a: ""'],
  ['a: ${EMPTY:-other}', 'a: other'],
  ['a: ${NONE:-$(HOST) $HOST :- x}', 'a: $(HOST) $HOST :- x'],
  // What is put in is text.
  ['a: ${DOLLAR}', 'a: ${HOST}'],
  ['a: $${HOST} $${NONE:-x} $${NONE%.*}', 'a: ${HOST} ${NONE:-x} ${NONE%.*}'],
  ['a: $$${HOST}', 'a: $${HOST}'],
  // Of Kubernetes, and of shells.
  ['a: $(HOST) $HOST $$HOST $$(HOST)', 'a: $(HOST) $HOST $$HOST $$(HOST)'],
  ['a: ${1} ${@} ${#HOST} ${!HOST} ${ HOST } ${} $${1}', 'a: ${1} ${@} ${#HOST} ${!HOST} ${ HOST } ${} $${1}'],
  // Line breaks stay what they are.
  ['a: ${HOST}\r\nb: ${HOST}\rc: ${HOST}\n', 'a: alpha\r\nb: alpha\rc: alpha\n'],
])('%j', (text, expected) => {
  expect(filled(text)).toBe(expected)
})

test('comments are nobody’s business, and what is a text of several lines is no comment', () => {
  const text = [
    '# ${NONE}',
    'script: |',
    '  #!/bin/sh',
    '  # ${HOST}',
    '',
    '    # ${HOST}',
    'a: x # ${HOST}',
    '  # ${NONE}',
    'list:',
    '- text: >-  # why',
    '    # ${HOST}',
    '  # ${NONE}',
    '  other: |2',
    '      more',
    '    # ${HOST}',
    'empty: |',
    '# ${NONE}',
    'last: x',
  ]
  const expected = text.map(line => line.replace('${HOST}', 'alpha'))
  expect(filled(text.join('\n'))?.split('\n')).toEqual(expected)
})

test('everything that is missing or malformed is told at once, with its place and without any text of the file', () => {
  const files = [
    { file: 'a.yaml', text: 'password: hunter2 ${NONE}\n\nb: "${HOST} ${NONE}${OTHER}"\n' },
    { file: 'sub/b.yaml', text: 'ok: ${HOST}\nc: ${HOST%x}\nd: ${HOST\ne: ${NONE:-${HOST}}\n' },
  ]
  const error = failing(() => fillIn(files, VARIABLES, '/etc/vars'))
  expect(error).toMatchObject({ code: 'MANIFEST_INVALID', message: '6 errors in 2 files' })
  expect(error.details?.split('\n').filter(line => !line.startsWith(' ') && line !== '')).toEqual([
    'a.yaml:1:19 error NOT_FOUND',
    'a.yaml:3:13 error NOT_FOUND',
    'a.yaml:3:20 error NOT_FOUND',
    'sub/b.yaml:2:4 error NOT_SUPPORTED',
    'sub/b.yaml:3:4 error NOT_SUPPORTED',
    'sub/b.yaml:4:4 error NOT_SUPPORTED',
  ])
  expect(error.details).toContain('no variable NONE in /etc/vars, and no default: ${NONE:-default}')
  expect(JSON.stringify([error.message, error.details, error.remedy])).not.toMatch(/hunter2|alpha/)
})

describe('a mistake in what came out', () => {
  const told = (text: string, values: Record<string, string>): string => {
    const variables = new Map(Object.entries(values))
    const files = fillIn([{ file: 'web.yaml', text }], variables, '/etc/vars')
    const { details = '' } = failing(() => translate(files, { baseDirectory: '/' }))
    return unfilled(details, files, variables)
  }
  const pod = (more: string): string =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: c, image: x}]\n${more}\n`

  test('has its place in the source, the line as it is there, and no value', () => {
    const text = pod('  hostname: ${LONGNAME}\n  restartPolicy: ${A}${POLICY}')
    expect(told(text, { LONGNAME: 'UPPER CASE', A: '', POLICY: 'Sometimes' }).split('\n')).toEqual([
      'web.yaml:6:13 error INVALID_VALUE spec.hostname',
      '    6 |   hostname: ${LONGNAME}',
      '      |             ^',
      expect.stringMatching(/^ {3}"\$\{LONGNAME\}" must be lower case/),
      '',
      'web.yaml:7:22 error UNSUPPORTED_VALUE spec.restartPolicy',
      '    7 |   restartPolicy: ${A}${POLICY}',
      '      |                      ^',
      '   "${POLICY}" is not possible here; use Always, OnFailure or Never',
    ])
  })

  test.each([
    ['in a line that others share', '  hostname: a # ${S}\n  oops: ${S}', 'secret word'],
    ['that is no YAML', '  hostname: "${S}', 'secret\tword'],
    ['that makes a line no YAML', '  hostname: ${S}', 'secret: word: "x'],
    ['that is long, and cut', '  hostname: ${S}', `Secret ${'word '.repeat(40)}`],
    ['with quotes', "  hostname: '${S}'", 'A "secret" \\ word'],
    ['that is one letter', '  hostname: ${S}', 'W'],
    ['in a path', '  nodeSelector: {a: b}\n  securityContext: {"${S}": 1}', 'secret-word'],
  ])('shows no value: %s', (_, more, value) => {
    const text = told(pod(more), { S: value })
    expect(text).toMatch(/^web\.yaml:\d+:\d+ error/)
    expect(text.replaceAll('${S}', '')).not.toMatch(/secret|Secret|word|"W"/)
  })

  test('elsewhere in the line, behind what was put in, keeps its column', () => {
    const text = pod('  # a\n  dnsPolicy: Default\n  securityContext: {runAsUser: ${USER}, runAsGrp: ${USER}}')
    expect(told(text, { USER: '1234567890' }).split('\n').slice(0, 3)).toEqual([
      expect.stringMatching(/^web\.yaml:8:41 error UNKNOWN_FIELD/),
      '    8 |   securityContext: {runAsUser: ${USER}, runAsGrp: ${USER}}',
      `      | ${' '.repeat(40)}^`,
    ])
  })
})

describe('a file that a tool has written anew', () => {
  const values = new Map([
    ['PORT', '8080'],
    ['WORD', 'yes'],
    ['SIGNS', `it's #1: "a" \\n`],
    ['NAME', 'web'],
  ])
  const pod = [
    'apiVersion: v1',
    'kind: Pod',
    'metadata:',
    '  annotations:',
    '    ${NAME}: ${WORD}',
    '  name: p-${NAME}',
    'spec:',
    '  containers:',
    '  - args:',
    '    - ${PORT}',
    "    - $${PORT} ${NONE:-it's none}",
    '    - |',
    '      # ${SIGNS}',
    '    - "a: ${SIGNS}"',
    "    - 'b: ${SIGNS}'",
    '    env:',
    '    - name: A',
    '      value: ${SIGNS}',
    '    - name: LONG',
    '      value: ${SIGNS} and so on',
    '        until ${NONE:-the end}',
    '    image: localhost/a:${PORT}',
    '    name: c',
    '    ports:',
    '    - containerPort: ${PORT}',
    '      hostPort: ${PORT}',
    '  hostNetwork: ${NONE:-false}',
    '',
  ].join('\n')
  const files = (text: string) => fillIn([{ file: 'k#Pod/web', text }], values, '/etc/vars', ['k#Pod/web'])
  const signs = values.get('SIGNS') ?? ''

  test('has values as the texts and numbers that its fields want', () => {
    const { bundle } = translate(files(pod), { baseDirectory: '/' })
    const [made] = bundle.pods
    const [container] = made?.containers ?? []
    expect(made?.name).toBe('p-web')
    expect(made?.annotations).toMatchObject({ web: 'yes' })
    expect(container?.args).toEqual(['8080', "${PORT} it's none", `# ${signs}\n`, `a: ${signs}`, `b: ${signs}`])
    expect(container?.env).toMatchObject([{ text: signs }, { text: `${signs} and so on until the end` }])
    expect(container?.image).toBe('localhost/a:8080')
    expect(container?.ports).toMatchObject([{ containerPort: 8080, hostPort: 8080 }])
  })

  test('has complaints at the place of the variable, without its value', () => {
    const wrong = files(pod.replace('containerPort: ${PORT}', 'containerPort: ${SIGNS}'))
    const error = failing(() => translate(wrong, { baseDirectory: '/' }))
    const told = unfilled(error.details ?? '', wrong, values)
    expect(told).toMatch(/^k#Pod\/web:25:22 error [A-Z_]+.*\n +25 \| {5}- containerPort: \$\{SIGNS\}/)
    expect(told).not.toContain('#1')
    const missing = failing(() => files(pod.replaceAll('${WORD}', '${WORDS}')))
    expect(missing.details).toMatch(/^k#Pod\/web:5:\d+ error NOT_FOUND/)
  })

  test('that is no YAML, or of a kind that nobody knows, is filled as it is', () => {
    expect(files('a: [${PORT}\n')[0]?.text).toBe('a: [8080\n')
    expect(files('kind: Own\nspec: {a: 1}\nb: ${PORT}\n')[0]?.text).toBe('kind: Own\nspec: {a: 1}\nb: 8080\n')
  })
})
