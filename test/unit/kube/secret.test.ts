import { describe, expect, test } from '@jest/globals'
import { detailsOf, issuesOf } from './world.ts'

const secret = (type: string, data: Record<string, string>, annotations = ''): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: {name: s${annotations}}\ntype: ${type}\nstringData: ${JSON.stringify(data)}\n`

const ACCOUNT = ', annotations: {kubernetes.io/service-account.name: robot}'
const good: Record<string, string> = {
  'of no type': secret('""', {}),
  'of a type of its own': secret('example.com/key', { a: 'b' }),
  'of one login': secret('kubernetes.io/basic-auth', { password: 'x' }),
  'with an ssh key': secret('kubernetes.io/ssh-auth', { 'ssh-privatekey': 'x' }),
  'with a certificate': secret('kubernetes.io/tls', { 'tls.crt': 'x', 'tls.key': 'y' }),
  'for a registry': secret('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '{"auths": {}}' }),
  'of an account': secret('kubernetes.io/service-account-token', {}, ACCOUNT),
}
const bad: Record<string, [text: string, issue: string]> = {
  'a login without anything': [secret('kubernetes.io/basic-auth', {}), 'REQUIRED type'],
  'an ssh key without it': [secret('kubernetes.io/ssh-auth', { key: 'x' }), 'REQUIRED type'],
  'a certificate without its key': [secret('kubernetes.io/tls', { 'tls.crt': 'x' }), 'REQUIRED type'],
  'a registry without its file': [secret('kubernetes.io/dockerconfigjson', {}), 'REQUIRED type'],
  'a registry whose file is no JSON': [
    secret('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': 'hush-hush' }),
    'INVALID_VALUE type',
  ],
  'a token of nobody': [secret('kubernetes.io/service-account-token', {}), 'REQUIRED metadata.annotations'],
}

describe('the types of a Secret', () => {
  for (const [name, text] of Object.entries(good)) {
    test(`a Secret ${name} is taken`, () => expect(issuesOf(text)).toEqual([]))
  }
  for (const [name, [text, issue]] of Object.entries(bad)) {
    test(`${name} is refused`, () => {
      expect(issuesOf(text).map(line => line.replace(/^\S+ /, ''))).toEqual([issue])
      expect(detailsOf(text)).not.toContain('hush')
    })
  }
})
