import { describe, expect, test } from '@jest/globals'
import { watchedPaths } from '../../../src/source/index.ts'

describe('what a path unit watches', () => {
  test('of a checkout: HEAD, the branch that it names, and packed-refs', () => {
    expect(watchedPaths({ kind: 'checkout', dir: '/srv/app' }, { head: 'ref: refs/heads/team/main\n' })).toEqual([
      '/srv/app/.git/HEAD',
      '/srv/app/.git/refs/heads/team/main',
      '/srv/app/.git/packed-refs',
    ])
  })

  test.each([
    ['a commit', `${'a'.repeat(40)}\n`],
    ['a ref that leads out', 'ref: refs/heads/../../../etc/shadow'],
    ['nothing', ''],
  ])('a HEAD that is %s names no branch', (_, head) => {
    expect(watchedPaths({ kind: 'checkout', dir: '/srv/app' }, { head })).toEqual([
      '/srv/app/.git/HEAD',
      '/srv/app/.git/packed-refs',
    ])
  })

  test('of a plain directory: it, and the directories below it that count', () => {
    const from = { kind: 'directory', dir: '/srv/app' } as const
    expect(watchedPaths(from)).toEqual(['/srv/app'])
    expect(watchedPaths(from, { path: 'prod', directories: ['db', 'web/a'] })).toEqual([
      '/srv/app/prod',
      '/srv/app/prod/db',
      '/srv/app/prod/web/a',
    ])
  })

  test('of a URL: nothing', () => {
    expect(watchedPaths({ kind: 'git', url: 'https://example.com/a.git', ref: {} })).toEqual([])
  })
})
