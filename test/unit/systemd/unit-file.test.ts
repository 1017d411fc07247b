import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readKubeOptions } from '../../../src/systemd/kube-options.ts'
import { booleanValue, quotedWord, readUnitFile, withoutSpecifiers, wordsOf } from '../../../src/systemd/unit-file.ts'
import { anyCharacter } from '../../support/characters.ts'

const sections = (text: string): unknown =>
  readUnitFile(text, 'x.conf').sections.map(({ name, assignments }) => [
    name,
    ...assignments.map(({ key, value, line, column }) => `${key}=${value} @${line}:${column}`),
  ])
const issues = (text: string): string[] =>
  readUnitFile(text, 'x.conf').issues.map(({ line, column, message }) => `${line}:${column} ${message}`)

describe('a unit file', () => {
  test.each<[name: string, text: string, read: unknown]>([
    [
      'sections and assignments',
      '[A]\nx=1\ny = 2 \n\n[B]\nx=\n',
      [
        ['A', 'x=1 @2:3', 'y=2 @3:5'],
        ['B', 'x= @6:3'],
      ],
    ],
    ['comments of both kinds', '# a\n[A]\n  ; b\nx=1 # not one\n', [['A', 'x=1 # not one @4:3']]],
    ['a line that goes on', '[A]\nx=a \\\n   b\\\nc\n', [['A', 'x=a  b c @2:3']]],
    ['a comment between joined lines', '[A]\nx=a\\\n# no\n; no\nb\n', [['A', 'x=a b @2:3']]],
    ['two backslashes end a line', '[A]\nx=a\\\\\ny=b\n', [['A', 'x=a\\\\ @2:3', 'y=b @3:3']]],
    ['an equals sign in the value', '[A]\nx=a=b\n', [['A', 'x=a=b @2:3']]],
    ['line ends of Windows, a byte order mark', '\ufeff[A]\r\nx=1\r\n', [['A', 'x=1 @2:3']]],
    [
      'a section that comes again',
      '[A]\nx=1\n[A]\nx=2\n',
      [
        ['A', 'x=1 @2:3'],
        ['A', 'x=2 @4:3'],
      ],
    ],
    ['the last line goes on', '[A]\nx=1\\', [['A', 'x=1 @2:3']]],
  ])('%s', (_, text, read) => {
    expect(sections(text)).toEqual(read)
    expect(issues(text)).toEqual([])
  })
  test.each<[text: string, issues: string[]]>([
    ['x=1\n', ['1:1 x= stands before the first section']],
    ['[A]\n  word\n', ['2:3 "word" is no assignment']],
    ['[A\n[]\n[A]]\n', ['1:1 "[A" is no section', '2:1 "[]" is no section', '3:1 "[A]]" is no section']],
    ['[A]\n=1\n', ['2:1 "=1" is no assignment']],
    ['[A]\nx=a\0\n', ['2:4 the line holds a NUL']],
    [`[A]\nx=${'a'.repeat(1024 * 1024)}`, ['1:1 the file is larger than 1024 KiB']],
  ])('%j', (text, found) => {
    expect(issues(text)).toEqual(found)
  })
})

describe('words', () => {
  test.each<[value: string, words: string[] | string]>([
    ['a  b', ['a', 'b']],
    ['"a b" c\'d e\'f', ['a b', 'cd ef']],
    ['"a\\"b" \\x41 \\u00fc \\101 a\\sb', ['a"b', 'A', 'ü', 'A', 'a b']],
    ['""', ['']],
    ['', []],
    ['"a', 'the quote " is not closed'],
    ['a\\q', '"\\q" is no escape'],
    ['\\x00', '"\\x" is no escape'],
    ['\\ud800', '"\\u" is no escape'],
  ])('%s', (value, words) => {
    expect(wordsOf(value)).toEqual(words)
  })
  test('a word that was quoted is one line, and reads as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 40 }), text => {
        const word = text.replaceAll('\0', '')
        expect(quotedWord(word)).not.toMatch(/[\n\r\0]/)
        expect(wordsOf(`x ${quotedWord(word)} y`)).toEqual(['x', word, 'y'])
      }),
    )
  })
})

test('specifiers are named, and a doubled percent sign is one', () => {
  expect(withoutSpecifiers('100%% of %h and %i%')).toEqual({
    text: '100% of %h and %i%',
    specifiers: ['%h', '%i', '%'],
  })
})

test('booleans as systemd writes them', () => {
  expect(['yes', 'On', '1', 'no', 'FALSE', '2', ''].map(booleanValue)).toEqual([
    true,
    true,
    true,
    false,
    false,
    undefined,
    undefined,
  ])
})

describe('options of a unit', () => {
  const read = (text: string) => readKubeOptions(text, 'web.conf', path => `/etc/tspod/kube/${path}`)
  test('keys of Quadlet become flags, in their order', () => {
    const text = `[Kube]
Network=backend:ip=10.1.2.3
PublishPort=127.0.0.1:8080:80
PublishPort=8443:443/tcp
ConfigMap=cfg.yaml
ExitCodePropagation=any
LogDriver=journald
UserNS=auto:size=4096
KubeDownForce=yes
PodmanArgs=--annotation "a=b c" --no-hosts
`
    expect(read(text)).toEqual({
      options: {
        force: true,
        play: [
          '--network=backend:ip=10.1.2.3',
          '--publish=127.0.0.1:8080:80',
          '--publish=8443:443/tcp',
          '--configmap=/etc/tspod/kube/cfg.yaml',
          '--service-exit-code-propagation=any',
          '--log-driver=journald',
          '--userns=auto:size=4096',
          '--annotation',
          'a=b c',
          '--no-hosts',
        ],
      },
      issues: [],
    })
  })
  test('an empty value takes back what its key has said', () => {
    const text = '[Kube]\nNetwork=a\nKubeDownForce=true\nPublishPort=1:1\nNetwork=\nNetwork=b\nKubeDownForce=\n'
    expect(read(text).options).toEqual({ play: ['--publish=1:1', '--network=b'], force: false })
  })
  test.each<[text: string, issue: string]>([
    ['[Kube]\nNetwrk=a', '2:8 unknown key Netwrk= | did you mean Network=?'],
    ['[Service]\nUser=x', '1:1 unknown section [Service] | only [Kube]'],
    ['[Kube]\nKubeDownForce=maybe', '2:15 KubeDownForce=maybe: want true or false'],
    ['[Kube]\nExitCodePropagation=some', '2:21 ExitCodePropagation=some: want none, any or all'],
    ['[Kube]\nConfigMap=%h/x', '2:11 ConfigMap=%h/x: %h is not expanded here'],
    ['[Kube]\nPodmanArgs="a', '2:12 PodmanArgs="a: the quote " is not closed'],
  ])('%j', (text, issue) => {
    const [first, ...more] = read(text).issues
    expect(more).toEqual([])
    expect(`${first?.line}:${first?.column} ${first?.message} | ${first?.remedy ?? ''}`).toContain(issue)
  })
})
