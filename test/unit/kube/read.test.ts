import { describe, expect, test } from '@jest/globals'
import { containerOf, detailsOf, issuesOf, podOf, podText, translated } from './world.ts'

const textOf = (yaml: string): unknown => {
  const [entry] = containerOf(podText('', `env: [{name: A, value: ${yaml}}]`)).env
  return entry !== undefined && 'text' in entry ? entry.text : undefined
}

describe('scalars mean what Kubernetes takes them for', () => {
  const strings: [yaml: string, text: string][] = [
    ['yes', 'yes'],
    ['off', 'off'],
    ['"8080"', '8080'],
    ["'true'", 'true'],
    ['!!str 8080', '8080'],
    ['2001-01-01', '2001-01-01'],
    ['1.2.3', '1.2.3'],
    ['0x', '0x'],
    ['"a\\\'b"', "a'b"],
    ['"\\\\\'"', "\\'"],
    ["'\\'", '\\'],
    ['null', ''],
    ['~', ''],
  ]
  for (const [yaml, text] of strings) test(`${yaml} is a text`, () => expect(textOf(yaml)).toBe(text))

  const others = ['8080', '-1', '1.5', '1e3', '0644', '0x1F', '0o7', '0b1', '1_000', '.inf', '.NaN', 'true', 'FALSE']
  for (const yaml of others) {
    test(`${yaml} is no text, and quoting it is the remedy`, () => {
      const details = detailsOf(podText('', `env: [{name: A, value: ${yaml}}]`))
      expect(details).toContain('error WRONG_TYPE spec.containers[0].env[0].value')
      expect(details).toContain(`quote it: "${yaml}"`)
    })
  }

  test('yes, on and their kind are booleans where one is wanted', () => {
    for (const yes of ['yes', 'on', 'True']) expect(containerOf(podText('', `tty: ${yes}`)).tty).toBe(true)
    for (const no of ['no', 'OFF', 'false']) expect(containerOf(podText('', `tty: ${no}`)).tty).toBe(false)
    expect(issuesOf(podText('', 'tty: "yes"'))).toHaveLength(1)
    expect(containerOf(podText('', 'tty: y')).tty).toBe(true)
    expect(issuesOf(podText('', 'tty: ja'))).toHaveLength(1)
  })

  test('a mode with a leading zero is octal', () => {
    const text = `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: v}\n---\n${podText(
      'volumes: [{name: a, secret: {secretName: s, defaultMode: 0640}}, {name: b, secret: {secretName: s, defaultMode: 416}}, {name: c, secret: {secretName: s, defaultMode: 0o640}}]',
    )}`
    const modes = podOf(text).volumes.map(volume => (volume.kind === 'files' ? volume.files[0]?.mode : undefined))
    expect(modes).toEqual([0o640, 0o640, 0o640])
  })
})

describe('texts are read as by the parser of Kubernetes', () => {
  const block = (value: string): string =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - name: a\n    image: b\n    env:\n    - name: A\n      value: ${value}\n`
  const good: Record<string, [yaml: string, text: string]> = {
    'escapes of bytes and characters': ['"\\x41\\u00e9\\U0001F600"', 'A\u00e9\u{1f600}'],
    'escapes of control characters': ['"\\a\\b\\e\\f\\v\\t\\n\\r"', '\u0007\b\u001b\f\v\t\n\r'],
    'escapes of blanks and ends of lines': ['"\\_\\N\\L\\P\\ "', '\u00a0\u0085\u2028\u2029 '],
    'escapes of JSON': ['"\\/\\ud83d\\ude00"', '/\u{1f600}'],
    'an escaped end of line': ['"a\\\n        b"', 'ab'],
    'a folded double quoted text': ['"a\n        b\n\n        c"', 'a b\nc'],
    'an apostrophe': ["'it''s'", "it's"],
    'a block': ['|\n        a\n        b\n', 'a\nb\n'],
    'a block without its last end of line': ['|-\n        a\n\n', 'a'],
    'a block with all of them': ['|+\n        a\n', 'a\n\n'],
    'a folded block': ['>\n        a\n        b\n\n        c\n', 'a b\nc\n'],
    'a block with its indentation told': ['|1-\n        x\n', ' x'],
    'a plain text of two lines': ['a\n        b', 'a b'],
    'a sign of comment inside a word': ['a#b # c', 'a#b'],
    'a date and a time': ['12:30:45', '12:30:45'],
    'a merge sign': ['<<', '<<'],
  }
  for (const [name, [yaml, text]] of Object.entries(good)) {
    test(name, () => {
      const [entry] = containerOf(block(yaml)).env
      expect(entry !== undefined && 'text' in entry ? entry.text : undefined).toBe(text)
    })
  }

  const bad: Record<string, [yaml: string, message: string]> = {
    'an escape that is none': ['"\\q"', '\\q is no escape'],
    'half a character': ['"\\ud800"', 'an escape that is half a character'],
    'NUL in an escape': ['"\\0"', 'must not contain a NUL character'],
    'a control character as it is': ['"a\u0007b"', 'the control character U+0007'],
    'binary data': ['!!binary aGk=', 'the tag !!binary has no meaning'],
    'a reserved sign': ['@a', 'must not begin with @'],
    'a missing quote': ['"a', 'the closing " of this text is missing'],
    'a colon in a value': ['a: b', 'a ": " in the middle of a value'],
    'a list beside its key': ['- a', 'a list must begin on a line of its own'],
    'an anchor of nobody': ['*a', 'no anchor &a before this alias'],
  }
  for (const [name, [yaml, message]] of Object.entries(bad)) {
    test(`not ${name}`, () => expect(detailsOf(block(yaml))).toContain(message))
  }

  test('an unquoted yes is a text, with a note, because Kubernetes thinks otherwise', () => {
    const { notes } = translated(block('yes'))
    expect(notes.join()).toMatch(/^app.yaml:10:7 spec.containers\[0\].env\[0\].value is the text "yes": .*; quote it$/)
    expect(translated(block('"yes"')).notes).toEqual([])
  })
  test('lines may end in CR alone, and places are told by them', () => {
    const text = block('"x"').replaceAll('\n', '\r')
    expect(translated(text).bundle.pods).toHaveLength(1)
    expect(issuesOf(text.replace('image', 'imag'))).toContain('7:5 UNKNOWN_FIELD spec.containers[0].imag')
  })
  test('a byte order mark between two joined files is named', () => {
    expect(detailsOf(`${block('x')}---\n\ufeff${block('x')}`)).toContain('a byte order mark inside the file')
  })
  test('JSON with tabs, and KYAML with trailing commas and comments', () => {
    const json = JSON.stringify(
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'j' }, spec: { containers: [{ name: 'a', image: 'b' }] } },
      null,
      '\t',
    )
    expect(podOf(json).name).toBe('j')
    const kyaml =
      '---\n{\n  apiVersion: "v1", # a\n  kind: "Pod",\n  metadata: {name: "k",},\n  # b\n  spec: {\n    containers: [{\n      name: "a",\n      image: "b",\n    },],\n  },\n}\n'
    expect(podOf(kyaml).name).toBe('k')
  })
  test('directives and ends of documents', () => {
    const text = `%YAML 1.1\n---\n${block('x')}...\n# c\n---\n...\n---\n${block('x').replace('web', 'two')}`
    expect(translated(text).bundle.pods.map(pod => pod.name)).toEqual(['web', 'two'])
  })
  test('an anchor may be given again, and ends with its document', () => {
    const env = '&v x\n    - name: &v B\n      value: *v'
    expect(containerOf(block(env)).env.map(entry => ('text' in entry ? entry.text : ''))).toEqual(['x', 'B'])
    expect(detailsOf(`${block('&v x')}---\n${block('*v').replace('web', 'two')}`)).toContain('no anchor &v')
  })
})

describe('documents', () => {
  const pod = podText('')

  test('empty ones and ones of comments are skipped', () => {
    expect(translated(`---\n# a\n---\n${pod}---\n...\n---\n`).bundle.pods).toHaveLength(1)
  })

  test('none at all is an error, and so are ConfigMaps alone', () => {
    expect(detailsOf('# nothing\n')).toContain('does not contain any supported kube kind')
    expect(detailsOf('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n')).toContain('not a standalone object')
  })

  test('CRLF, a byte order mark and tabs between tokens are fine', () => {
    expect(translated(`\ufeff${pod.replaceAll('\n', '\r\n')}`).bundle.pods).toHaveLength(1)
  })

  test('anchors and merge keys work; what the map says itself wins', () => {
    const text = podText('', 'env: [&a {name: A, value: one}, {<<: *a, name: B}], volumeMounts: []')
    expect(containerOf(text).env.map(entry => ('text' in entry ? `${entry.name}=${entry.text}` : ''))).toEqual([
      'A=one',
      'B=one',
    ])
  })

  test('a syntax error does not hide the mistakes of other documents', () => {
    const issues = issuesOf(`kind: [\n---\n${podText('restartPolicy: x')}`)
    expect(issues.map(issue => issue.split(' ')[1])).toEqual(['YAML_SYNTAX', 'UNSUPPORTED_VALUE'])
  })

  test('an unreadable document is not the reason for missing references', () => {
    expect(issuesOf(`kind: [\n---\n${podText('', 'envFrom: [{configMapRef: {name: a}}]')}`)).toHaveLength(1)
  })
})

describe('how strictly fields are read', () => {
  const text = podText('replicas: 2, hostPID: false, hostPID: true')

  test('strict: what does not exist or is given twice is a mistake', () => {
    expect(issuesOf(text)).toEqual(['4:52 UNKNOWN_FIELD spec.replicas', '4:81 DUPLICATE_KEY spec.hostPID'])
  })
  test('warn: it is a note, and the last one counts', () => {
    const { bundle, notes } = translated(text, { fieldValidation: 'warn' })
    expect(bundle.pods[0]?.hostPid).toBe(true)
    expect(notes.map(note => note.replace(/^app.yaml:\d+:\d+ /, ''))).toEqual([
      'spec.hostPID: the key "hostPID" is given twice',
      'spec.replicas: unknown field "replicas"',
    ])
  })
  test('ignore: nothing is said', () => {
    expect(translated(text, { fieldValidation: 'ignore' }).notes).toEqual([])
  })
  test('every other mistake stays one', () => {
    const wrong = podText('restartPolicy: x, hostPID: 1, volumes: [{name: a, emptyDr: {}}]')
    expect(issuesOf(wrong, { fieldValidation: 'ignore' }).map(issue => issue.split(' ').slice(1).join(' '))).toEqual([
      'UNSUPPORTED_VALUE spec.restartPolicy',
      'WRONG_TYPE spec.hostPID',
      'REQUIRED spec.volumes[0]',
    ])
  })
})

describe('hostile YAML ends soon, with a place', () => {
  const aliases = ['a: &a0 [x,x,x,x,x,x,x,x,x,x]']
  for (let level = 1; level < 9; level++)
    aliases.push(
      `b${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(',')}]`,
    )
  const merges = Array.from(
    { length: 500 },
    (_, i) => `m${i}: &m${i}\n  ${i === 0 ? '' : `<<: *m${i - 1}\n  `}k${i}: v`,
  )
  const many = 100_000
  const cases: Record<string, [text: string, code: string]> = {
    'nine levels of aliases': [aliases.join('\n'), 'YAML_LIMIT'],
    'an alias to itself': ['a: &a [*a]', 'YAML_SYNTAX'],
    'a merge of itself': ['a: &a {b: {<<: *a}}', 'YAML_SYNTAX'],
    'an alias to nothing': ['a: *b', 'YAML_SYNTAX'],
    'a million aliases': [`x: &a 1\ny: [${'*a,'.repeat(1_000_000)}]`, 'YAML_LIMIT'],
    'deep flow lists': ['['.repeat(many), 'YAML_LIMIT'],
    'deep flow maps': ['{a: '.repeat(many), 'YAML_LIMIT'],
    'deep block lists': ['- '.repeat(many), 'YAML_LIMIT'],
    'deep block maps': [Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), 'YAML_LIMIT'],
    'deep keys': ['? '.repeat(many), 'YAML_LIMIT'],
    'a large file': [`a: ${'x'.repeat(5_000_000)}`, 'YAML_LIMIT'],
    'many documents': ['---\na: b\n'.repeat(many), 'YAML_LIMIT'],
    'merges of merges': [merges.join('\n'), 'YAML_LIMIT'],
    'many duplicate keys': ['k: 1\n'.repeat(30_000), 'DUPLICATE_KEY'],
    'many syntax errors': [`[${','.repeat(200_000)}`, 'YAML_SYNTAX'],
    'many unknown fields': [
      podText(Array.from({ length: 20_000 }, (_, i) => `unknown${i}: 1`).join(', ')),
      'UNKNOWN_FIELD',
    ],
    'an ordered map': ['a: !!omap [{k: 1}]', 'YAML_SYNTAX'],
    'tags of programs': ['a: !!js/function "x"', 'YAML_SYNTAX'],
    'UTF-16': ['a\0:\0 \0', 'YAML_SYNTAX'],
    'not UTF-8': ['a: \ufffd', 'YAML_SYNTAX'],
    'a key that is a map': ['{a: b}: c', 'YAML_SYNTAX'],
    'a scalar': ['hello', 'WRONG_TYPE'],
  }
  for (const [name, [text, code]] of Object.entries(cases)) {
    test(name, () => {
      const issues = issuesOf(text)
      expect(issues.length).toBeGreaterThan(0)
      expect(issues.length).toBeLessThanOrEqual(500)
      expect(issues.map(issue => issue.split(' ')[1])).toContain(code)
    })
  }

  test('an alias to itself is called that', () => {
    expect(detailsOf('a: &a [*a]')).toContain('*a contains itself')
  })

  test('an exponent does not become a number of its size', () => {
    expect(issuesOf(podText('', 'resources: {limits: {cpu: 1e999999999}}'))).toHaveLength(1)
  })

  test('names of Object.prototype are keys like any other', () => {
    const text = `apiVersion: v1
kind: ConfigMap
metadata: {name: c, labels: {constructor: a}}
data: {__proto__: x, constructor: y, prototype: z}
---
${podText('', 'envFrom: [{configMapRef: {name: c}}], env: [{name: __proto__, value: v}]').replace('labels: {app: web}', 'labels: {constructor: b, toString: c}')}`
    const pod = podOf(text)
    expect(pod.containers[0]?.env.map(entry => entry.name)).toEqual([
      '__proto__',
      'constructor',
      'prototype',
      '__proto__',
    ])
    expect(Object.entries(pod.labels)).toEqual([
      ['constructor', 'b'],
      ['toString', 'c'],
    ])
    expect(issuesOf(`__proto__: {polluted: 1}\n${podText('__proto__: {polluted: 1}')}`)).toHaveLength(2)
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test('control characters and directions of writing do not reach the terminal', () => {
    const details = detailsOf(podText('', 'imagePullPolicy: "\u001b[2J\u202e\\e[31m"'))
    expect(details).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  })
})
