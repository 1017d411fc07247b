import { describe, expect, test } from '@jest/globals'
import {
  configKeyProblem,
  envNameProblem,
  isIp,
  labelProblem,
  labelValueProblem,
  parseImage,
  portNameProblem,
  qualifiedProblem,
  subdomainProblem,
} from '../../../src/kube/yaml/names.ts'

type Case = { of: (text: string) => string | undefined; good: string[]; bad: string[] }

const cases: Record<string, Case> = {
  label: {
    of: labelProblem,
    good: ['a', 'a-b', '0', 'x'.repeat(63)],
    bad: ['', 'A', '-a', 'a-', 'a.b', 'a_b', 'x'.repeat(64), 'a\n', 'ä'],
  },
  subdomain: {
    of: subdomainProblem,
    good: ['a', 'a.b-c.d', 'x'.repeat(253)],
    bad: ['', '.', 'a.', '.a', 'a..b', 'A', 'a/b', '../a', 'x'.repeat(254), 'a\n'],
  },
  'label key': {
    of: qualifiedProblem,
    good: ['a', 'A_b.C', 'example.com/a', `${'x'.repeat(253)}/${'y'.repeat(63)}`],
    bad: ['', '/', 'a/', '/a', 'a/b/c', 'Example.com/a', '__proto__', '-a', 'y'.repeat(64), 'a b'],
  },
  'label value': { of: labelValueProblem, good: ['', 'a', 'A_b.C', '0'], bad: ['-a', 'a ', 'a/b', 'x'.repeat(64)] },
  'variable name': { of: envNameProblem, good: ['A', 'a.b-c', 'a b', '1', '#'], bad: ['', 'A=B', 'A\n', 'Ä', 'A\0'] },
  'config key': {
    of: configKeyProblem,
    good: ['a', '.a', 'A_b-c.d', '__proto__'],
    bad: ['', '.', '..', '..a', 'a/b', 'a b', 'x'.repeat(254)],
  },
  'port name': {
    of: portNameProblem,
    good: ['a', 'http', '8a', 'a-b'],
    bad: ['', '80', 'a--b', '-a', 'a-', 'A', 'x'.repeat(16)],
  },
  'image name': {
    of: text => ('problem' in parseImage(text) ? 'bad' : undefined),
    good: [
      'nginx',
      'nginx:1.27',
      'localhost/a:b',
      'localhost:5000/a',
      'Example.COM/a/b_c/d--e:T.a-g',
      '[::1]:5000/a',
      `a@sha256:${'0'.repeat(64)}`,
      `a:b@sha256:${'0'.repeat(64)}`,
    ],
    bad: [
      '',
      ':',
      'A',
      'a:',
      'a:-b',
      'a@sha256:12',
      'docker://a',
      '-a',
      '--privileged',
      'a b',
      'a\n',
      '/a',
      'a/',
      'a//b',
      'example.com:x/a',
      'a_-b',
    ],
  },
}

for (const [name, { of, good, bad }] of Object.entries(cases)) {
  describe(name, () => {
    for (const text of good)
      test(`${JSON.stringify(text).slice(0, 40)} is well formed`, () => expect(of(text)).toBeUndefined())
    for (const text of bad)
      test(`${JSON.stringify(text).slice(0, 40)} is refused`, () => expect(of(text)).toBeDefined())
  })
}

describe('addresses', () => {
  const good = [
    '0.0.0.0',
    '255.255.255.255',
    '::',
    '::1',
    '1::',
    'fe80::1:2',
    '1:2:3:4:5:6:7:8',
    '::ffff:1.2.3.4',
    '1:2:3:4:5:6:1.2.3.4',
  ]
  const bad = [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4\n',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    'g::',
    ':1',
    '1:',
    '12345::',
    '::1%eth0',
    '1.2.3.4::',
    '1:2:3:4:5:6:7::8',
  ]
  for (const text of good) test(`${text} is one`, () => expect(isIp(text)).toBe(true))
  for (const text of bad) test(`${JSON.stringify(text)} is none`, () => expect(isIp(text)).toBe(false))
})
