/** What `tspod gitops export` prints, and how it calls the files that it writes. */
import { describe, expect, test } from '@jest/globals'
import { fileNames, manifestStream } from '../../../src/cli/gitops/export.ts'
import { bundleOf } from '../../support/apply-world.ts'

const pod = (name: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: c, image: x}]}\n`

describe('the stream', () => {
  test('has each file below its name, as helm prints them', () => {
    const files = [
      { file: 'a.yaml', text: 'a: 1' },
      { file: 'sub/b.yaml', text: '---\nb: 1\n---\nb: 2\n' },
    ]
    expect(manifestStream(files)).toBe('---\n# Source: a.yaml\na: 1\n---\n# Source: sub/b.yaml\nb: 1\n---\nb: 2\n')
  })

  test('is one manifest with all of their objects, however the files begin and end', () => {
    const files = [
      { file: 'a.yaml', text: pod('a').trimEnd() },
      { file: 'b.yaml', text: `\ufeff--- \r\n${pod('b')}...\n` },
      { file: 'c.yaml', text: `%YAML 1.2\n---\n${pod('c')}` },
      {
        file: 'd.json',
        text: JSON.stringify(
          {
            ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'd' } },
            spec: { containers: [{ name: 'c', image: 'x' }] },
          },
          null,
          2,
        ),
      },
      { file: 'e.yaml', text: `# a comment\n---\n${pod('e')}---\n${pod('f')}` },
    ]
    expect(bundleOf(manifestStream(files)).pods.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  test('has a name in one line, whatever is in it', () => {
    expect(manifestStream([{ file: 'a\nkind: Pod', text: '' }])).toMatch(/^---\n# Source: a.*kind: Pod\n\n?$/)
  })
})

describe('names of files', () => {
  test.each<[what: string, files: string[], names: string[]]>([
    ['of a repository', ['a.yaml', 'apps/b.yaml'], ['a.yaml', 'apps/b.yaml']],
    ['of a plain directory', ['/srv/shop/a.yaml', '/srv/shop/sub/b.yaml'], ['a.yaml', 'sub/b.yaml']],
    ['of elsewhere', ['/other/a.yaml'], ['other/a.yaml']],
    [
      'of what was rendered',
      [
        'prod/kustomization.yaml#Pod/web (base/web.yaml)',
        'kustomization.yaml#ConfigMap/a.b',
        '/srv/shop/kustomization.yaml#Secret/x',
      ],
      ['prod/pod-web.yaml', 'configmap-a.b.yaml', 'secret-x.yaml'],
    ],
    [
      'that are the same',
      ['kustomization.yaml#Pod/a', 'pod-a.yaml', 'pod-a.yaml'],
      ['pod-a.yaml', 'pod-a-2.yaml', 'pod-a-3.yaml'],
    ],
  ])('%s', (_, files, names) => {
    expect(fileNames(files, '/srv/shop')).toEqual(names)
  })

  test.each([
    '../a.yaml',
    'a/../../b.yaml',
    '/srv/shop/../a.yaml',
    'a//b.yaml',
    './a.yaml',
    '',
    '..',
    'a\0.yaml',
    `${'x'.repeat(256)}.yaml`,
    '../kustomization.yaml#Pod/a',
    'kustomization.yaml#../../a/x (b)',
    'kustomization.yaml#Pod/../../a',
  ])('%j is refused', file => {
    expect(() => fileNames(['ok.yaml', file], '/srv/shop')).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH' }))
  })
})
