import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { escapeName, escapePath, instanceUnit, unescapeName, unescapePath } from '../../../src/systemd/escape.ts'
import { unitOfInstance, unitOfName, unitOfOperand, unitOfPath } from '../../../src/systemd/instance.ts'
import { anyCharacter } from '../../support/characters.ts'

const FOLDER = '/etc/tspod/kube'

/** What systemd-escape 252 and 257 answer. */
const NAMES: readonly [text: string, name: string][] = [
  ['/srv/app.yaml', '-srv-app.yaml'],
  ['/a b/%x', '-a\\x20b-\\x25x'],
  ['.hid', '\\x2ehid'],
  ['a.b:c_d-e\\f', 'a.b:c_d\\x2de\\x5cf'],
  ['', ''],
  ['ü', '\\xc3\\xbc'],
  ['x\ny', 'x\\x0ay'],
  ['"$HOME";\'', '\\x22\\x24HOME\\x22\\x3b\\x27'],
]

describe('names', () => {
  test.each(NAMES)('%j is %s, and back', (text, name) => {
    expect(escapeName(text)).toBe(name)
    expect(unescapeName(name)).toBe(text)
  })
  test.each([
    ['a\\q', /backslash/],
    ['a\\x2', /backslash/],
    ['a\\x00', /NUL/],
    ['a\\xff', /UTF-8/],
  ])('%s was not made by escaping', (name, why) => {
    expect(() => unescapeName(name)).toThrow(why)
  })
  test('any text survives, in an alphabet that can hold no directive, word or specifier', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 80 }), text => {
        const name = escapeName(text.replaceAll('\0', ''))
        expect(name).toMatch(/^[A-Za-z0-9:_.\\-]*$/)
        expect(unescapeName(name)).toBe(text.replaceAll('\0', ''))
      }),
    )
  })
})

describe('paths', () => {
  test.each([
    ['/', '-', '/'],
    ['//', '-', '/'],
    ['/a//b/./c/', 'a-b-c', '/a/b/c'],
    ['/.x/.y', '\\x2ex-.y', '/.x/.y'],
  ])('%s is %s', (path, name, back) => {
    expect(escapePath(path)).toBe(name)
    expect(unescapePath(name)).toBe(back)
  })
  test.each(['', 'rel/x', '/a/../b'])('%j is no path for a unit', path => {
    expect(() => escapePath(path)).toThrow(/absolute path/)
  })
  test.each(['', '-a', 'a--b', 'a-..-b'])('%j stands for no path', name => {
    expect(() => unescapePath(name)).toThrow(/no path/)
  })
})

test('a name that systemd would not take is an error with a way out', () => {
  expect(instanceUnit('tspod-kube', 'x'.repeat(236))).toHaveLength(255)
  expect(() => instanceUnit('tspod-kube', 'x'.repeat(237))).toThrow(/256 characters, and systemd takes 255/)
  expect(() => unitOfPath(`/${'ü'.repeat(60)}.yaml`, FOLDER)).toThrow(/systemd takes 255/)
})

describe('the unit of a manifest', () => {
  const named = {
    unit: 'tspod-kube@my-app.service',
    shown: 'my-app',
    manifest: '/etc/tspod/kube/my-app.yaml',
    options: '/etc/tspod/kube/my-app.conf',
  }
  const filed = {
    unit: 'tspod-kube@-srv-my\\x2dapp.yaml.service',
    shown: '/srv/my-app.yaml',
    manifest: '/srv/my-app.yaml',
    options: '/srv/my-app.yaml.conf',
  }
  test.each<[operand: string, unit: object]>([
    ['my-app', named],
    ['/etc/tspod/kube/my-app.yaml', named],
    ['tspod-kube@my-app.service', named],
    ['/srv/my-app.yaml', filed],
    ['my-app.yaml', filed],
    ['./my-app.yaml', filed],
    ['tspod-kube@-srv-my\\x2dapp.yaml.service', filed],
    ['tspod-kube@my\\x2dapp.service', { ...named, unit: 'tspod-kube@my\\x2dapp.service' }],
  ])('%s', (operand, unit) => {
    expect(
      unitOfOperand(operand, FOLDER, path => `/srv/${path.replace(/^\/srv\/|^\.\//g, '')}`.replace('/srv//', '/')),
    ).toEqual(unit)
  })
  test('what systemd hands over leads back to the same manifest', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), text => {
        const path = `/srv/${text.replaceAll('\0', '')}`
        const escaped = escapeName(path)
        fc.pre(escaped.length < 230)
        expect(unitOfInstance(escaped, FOLDER).manifest).toBe(path)
      }),
    )
  })
  test.each(['.hid', '-x', 'a b', 'ü', 'a\nb'])('%j is no name', name => {
    expect(() => unitOfName(name, FOLDER)).toThrow(/no name of a manifest/)
  })
})
