/** Laws that hold for every text: escapes, names, addresses and image references. */
import { isIP } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import {
  configKeyProblem,
  isIp,
  labelProblem,
  labelValueProblem,
  parseImage,
  portNameProblem,
  qualifiedProblem,
  subdomainProblem,
} from '../../../src/kube/yaml/names.ts'
import { anyCharacter } from '../../support/characters.ts'
import { fc, seed } from '../../support/property.ts'
import { containerOf, detailsOf, podOf, podText } from './world.ts'

/** Any text that may be in a manifest; its characters are written out by the escapes under test. */
const anyText = fc.string({ unit: anyCharacter, maxLength: 40 }).filter(text => !text.includes('\0'))

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0')
/** Every way to write a character in double quotes, the shortest escape that fits or a longer one. */
const escapes: readonly ((code: number) => string | undefined)[] = [
  code => (code >= 0x20 && code < 0x7f && code !== 0x22 && code !== 0x5c ? String.fromCodePoint(code) : undefined),
  code => (code < 0x100 ? `\\x${hex(code, 2)}` : undefined),
  code => (code < 0x10000 ? `\\u${hex(code, 4)}` : undefined),
  code => `\\U${hex(code, 8)}`,
]

const variable = (yaml: string): string | undefined => {
  const [entry] = containerOf(podText('', `env: [{name: A, value: ${yaml}}]`)).env
  return entry !== undefined && 'text' in entry ? entry.text : undefined
}

describe(`texts (seed ${seed})`, () => {
  test('every escape of every character reads as that character', () => {
    fc.assert(
      fc.property(anyText, fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 8 }), (text, choices) => {
        const written = [...text].map((character, index) => {
          const code = character.codePointAt(0) ?? 0
          const wanted = choices[index % choices.length] ?? 0
          return escapes[wanted]?.(code) ?? `\\U${hex(code, 8)}`
        })
        return variable(`"${written.join('')}"`) === text
      }),
    )
  })
  test('every escape that go-yaml knows reads as it does there', () => {
    const known: Record<string, string> = {
      ...{ '0': '\0', a: '\x07', b: '\b', t: '\t', '\t': '\t', n: '\n', v: '\v', f: '\f', r: '\r', e: '\x1b' },
      ...{ ' ': ' ', '"': '"', "'": "'", '/': '/', '\\': '\\', N: '\x85', _: '\xa0', L: '\u2028', P: '\u2029' },
    }
    // A variable cannot hold a NUL, which is refused by its place: it is read in a comment's stead, an annotation.
    const annotation = (yaml: string): string | undefined =>
      podOf(podText('').replace('metadata: {', `metadata: {annotations: {a: ${yaml}}, `)).annotations.a
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...Object.keys(known)), { maxLength: 12 }), letters => {
        const written = letters.map(letter => `\\${letter}`).join('x')
        return annotation(`"${written}"`) === letters.map(letter => known[letter]).join('x')
      }),
    )
  })
  test('any other letter behind a backslash is no escape', () => {
    const letters = fc.string({
      unit: fc.constantFrom(...'ABCDEFGHIJKMOQRSTVWXYZcdghijklmopqswyz123456789.!$%&()=?*+~#'),
      minLength: 1,
      maxLength: 1,
    })
    fc.assert(
      fc.property(letters, letter => detailsOf(podText('', `workingDir: "/\\${letter}"`)).includes('is no escape')),
    )
  })
  test('a line that ends in a backslash goes on without a blank', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z]{1,9}$/),
        fc.stringMatching(/^[a-z]{1,9}$/),
        fc.integer({ min: 1, max: 6 }),
        (a, b, blanks) => variable(`"${a}\\\n${' '.repeat(blanks)}${b}"`) === `${a}${b}`,
      ),
    )
  })
  test('a text as JSON writes it reads as it was', () => {
    fc.assert(fc.property(fc.string({ maxLength: 40 }), text => variable(JSON.stringify(text)) === text))
  })
  test('a text in single quotes reads as it was, apostrophes doubled', () => {
    fc.assert(fc.property(fc.string({ maxLength: 40 }), text => variable(`'${text.replaceAll("'", "''")}'`) === text))
  })
  test('whatever the bytes, there is an answer and no crash', () => {
    const pieces = fc.constantFrom(
      ...'{}[]:,-?&*!|>"\'#%@`\n\t \r~<'.split(''),
      'a',
      '---',
      '...',
      '<<',
      '&a',
      '*a',
      '!!str',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), parts => typeof detailsOf(parts.join('')) === 'string'),
      { numRuns: 300 },
    )
  })
})

describe(`names (seed ${seed})`, () => {
  const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
  test('a label is a subdomain, a value of a label and a key', () => {
    fc.assert(
      fc.property(label, text =>
        [labelProblem, subdomainProblem, labelValueProblem, qualifiedProblem, configKeyProblem].every(
          problem => problem(text) === undefined,
        ),
      ),
    )
  })
  test('a name is one when the expressions of Kubernetes say so, whatever it is made of', () => {
    const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
    const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
    const value = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/
    const key = /^[-._a-zA-Z0-9]+$/
    const port = (text: string): boolean =>
      /^[-a-z0-9]{1,15}$/.test(text) && /[a-z]/.test(text) && !/--|^-|-$/.test(text)
    const unit = fc.constantFrom('a', 'z', '0', '-', '.', '_', 'A', '/', ' ', '\n', 'ä')
    const texts = fc.oneof(
      fc.string({ unit, maxLength: 8 }),
      fc.integer({ min: 60, max: 66 }).map(length => 'a'.repeat(length)),
      fc.integer({ min: 250, max: 256 }).map(length => 'a.'.repeat(length).slice(0, length)),
    )
    fc.assert(
      fc.property(texts, text => {
        expect([text, labelProblem(text) === undefined]).toEqual([text, label.test(text) && text.length <= 63])
        expect([text, subdomainProblem(text) === undefined]).toEqual([text, subdomain.test(text) && text.length <= 253])
        expect([text, labelValueProblem(text) === undefined]).toEqual([text, value.test(text) && text.length <= 63])
        const isKey = key.test(text) && text.length <= 253 && text !== '.' && !text.startsWith('..')
        expect([text, configKeyProblem(text) === undefined]).toEqual([text, isKey])
        expect([text, portNameProblem(text) === undefined]).toEqual([text, port(text)])
      }),
      { numRuns: 3000 },
    )
  })
  test('labels joined by dots are a subdomain while it is short enough', () => {
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 8 }), labels => {
        const text = labels.join('.')
        return (subdomainProblem(text) === undefined) === text.length <= 253
      }),
    )
  })
  test('a prefix and a name are a key', () => {
    fc.assert(fc.property(label, label, (prefix, name) => qualifiedProblem(`${prefix}/${name}`) === undefined))
  })
  test('no name has a character that a path, a line or a shell would act upon', () => {
    const nasty = fc.constantFrom('/', '\n', '\0', ' ', '$', '`', ';', '&', '|', '\\', '"', "'", '\u202e')
    fc.assert(
      fc.property(label, nasty, label, (before, character, after) => {
        const text = `${before}${character}${after}`
        return [labelProblem, subdomainProblem, labelValueProblem, configKeyProblem].every(
          problem => problem(text) !== undefined,
        )
      }),
    )
  })
  test('an address is one when Node says so, but for zones', () => {
    const part = fc.constantFrom('0', '1', '10', '255', '256', '01', 'a', 'ffff', 'fffff', '::', ':', '.', '')
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), parts => {
        const text = parts.join('')
        return isIp(text) === isIP(text) > 0
      }),
      { numRuns: 2000 },
    )
    fc.assert(fc.property(fc.ipV4(), fc.ipV6(), (v4, v6) => isIp(v4) && isIp(v6)))
  })
  test('the parts of an image reference make the reference again', () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?$/)
    const tag = fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/), { nil: undefined })
    const digest = fc.option(fc.stringMatching(/^sha256:[0-9a-f]{64}$/), { nil: undefined })
    const domain = fc.constantFrom('', 'localhost/', 'registry.example.com/', 'r:5000/', '[::1]:5000/')
    fc.assert(
      fc.property(domain, fc.array(name, { minLength: 1, maxLength: 3 }), tag, digest, (at, names, ofTag, ofDigest) => {
        const base = `${at}${names.join('/')}`
        const text = `${base}${ofTag === undefined ? '' : `:${ofTag}`}${ofDigest === undefined ? '' : `@${ofDigest}`}`
        expect(parseImage(text)).toEqual({
          name: base,
          ...(ofTag !== undefined && { tag: ofTag }),
          ...(ofDigest !== undefined && { digest: ofDigest }),
        })
      }),
    )
  })
})
