import { describe, expect, test } from '@jest/globals'
import { visibleChanges } from '../../../../src/engine/inside/mount.ts'
import type { OciConfig, RootChange } from '../../../../src/oci/index.ts'

const config = { mounts: ['/data/v', '/srv/'].map(destination => ({ destination })) } as Pick<OciConfig, 'mounts'>
const letters: Record<string, RootChange['kind']> = { A: 'added', C: 'changed', D: 'deleted' }
const show = (lines: string[], of = config): string[] => {
  const changes = lines.map(line => ({ kind: letters[line[0]!]!, path: line.slice(2) }))
  const { changed, added, deleted } = visibleChanges(changes, of)
  return [...changed.map(path => `C ${path}`), ...added.map(path => `A ${path}`), ...deleted.map(path => `D ${path}`)]
}

describe('what a container has changed of its image', () => {
  test.each<[name: string, before: string[], after: string[]]>([
    ['its own files', ['C /etc', 'A /etc/new', 'D /etc/group'], ['C /etc', 'A /etc/new', 'D /etc/group']],
    ['not the mount points, nor what is above only because of them', ['A /data', 'A /data/v', 'A /srv', 'A /proc'], []],
    [
      'what is above when something else is there as well',
      ['A /data', 'A /data/v', 'A /data/x'],
      ['A /data', 'A /data/x'],
    ],
    ['nothing below a mount point', ['C /dev', 'A /dev/x', 'A /srv/deep/file'], []],
    ['/etc when only the managed files were made in it', ['C /etc', 'A /etc/hosts', 'A /etc/resolv.conf'], []],
    ['a name that only begins like a mount point', ['A /srv2'], ['A /srv2']],
  ])('%s', (_name, before, after) => {
    expect(show(before)).toEqual(after)
  })
  test('without mounts only what is always ours is left out', () => {
    expect(show(['A /data', 'A /sys'], { mounts: [] })).toEqual(['A /data'])
  })
})
