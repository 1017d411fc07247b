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
    expect(issuesOf(podText('', 'tty: y'))).toHaveLength(1)
  })

  test('a mode with a leading zero is octal', () => {
    const text = `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: v}\n---\n${podText(
      'volumes: [{name: a, secret: {secretName: s, defaultMode: 0640}}, {name: b, secret: {secretName: s, defaultMode: 416}}, {name: c, secret: {secretName: s, defaultMode: 0o640}}]',
    )}`
    const modes = podOf(text).volumes.map(volume => (volume.kind === 'files' ? volume.files[0]?.mode : undefined))
    expect(modes).toEqual([0o640, 0o640, 0o640])
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
    expect(issuesOf(text)).toEqual(['4:52 UNKNOWN_FIELD spec.replicas', '4:81 DUPLICATE_KEY'])
  })
  test('warn: it is a note, and the last one counts', () => {
    const { bundle, notes } = translated(text, { fieldValidation: 'warn' })
    expect(bundle.pods[0]?.hostPid).toBe(true)
    expect(notes.map(note => note.replace(/^app.yaml:\d+:\d+ /, ''))).toEqual([
      'the key "hostPID" is given twice',
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
