import { describe, expect, test } from '@jest/globals'
import { columnsOf, descriptorNames, type Names } from '../../../../src/engine/inside/descriptors.ts'
import type { ProcessFacts } from '../../../../src/oci/index.ts'

const process: ProcessFacts = {
  hostPid: 296,
  pid: 1,
  ppid: 0,
  pgid: 1,
  state: 'S',
  comm: 'sh',
  args: ['sh', '-c', 'x'],
  ids: { uid: 1000, gid: 5, realUid: 7, realGid: 8, groups: [5, 9] },
  hostIds: { uid: 101_000, gid: 0, groups: [0] },
  nice: 0,
  virtualBytes: 4096,
  residentBytes: 2048,
  cpuMs: 1500,
  elapsedMs: 62_500,
  tty: '?',
  caps: { ambient: 0n, bounding: 2n ** 41n - 1n, effective: 0b100001n, inheritable: 0n, permitted: 0n },
  seccomp: 'filter',
  label: '?',
}
const names: Names = {
  user: new Map([[1000, 'app']]),
  group: new Map([[5, 'tty']]),
  hostUser: new Map(),
  hostGroup: new Map([[0, 'root']]),
}
const NOW_MS = Date.UTC(2026, 0, 2, 12)
const show = (words: string[], of = process): string[] => columnsOf(words).cells(of, names, NOW_MS)

describe('the columns of top', () => {
  test('are those of Podman when none is named', () => {
    expect(columnsOf([]).header).toEqual(['USER', 'PID', 'PPID', '%CPU', 'ELAPSED', 'TTY', 'TIME', 'COMMAND'])
    expect(show([])).toEqual(['app', '1', '0', '2.400', '1m2.5s', '?', '1.5s', 'sh -c x'])
  })
  test('by names, by codes, and several in a word', () => {
    expect(columnsOf(['pid,%U', 'hpid', 'capeff']).header).toEqual(['PID', 'USER', 'HPID', 'EFFECTIVE CAPS'])
    expect(show(['pid,%U', 'hpid', 'capeff', 'capbnd', 'capamb'])).toEqual([
      '1',
      'app',
      '296',
      'CHOWN,KILL',
      'full',
      'none',
    ])
  })
  test('names of the container, ids where it has none, and the host as well', () => {
    expect(show(['user', 'ruser', 'group', 'groups', 'huser', 'hgroup', 'hgroups'])).toEqual([
      ...['app', '7', 'tty', 'tty,9', '101000', 'root', 'root'],
    ])
  })
  test('sizes are in KiB, times of day in UTC', () => {
    expect(show(['rss', 'vsz', 'stime'])).toEqual(['2', '4', '2026-01-02T11:58:57.500Z'])
  })
  test('a zombie is called one, and a process without arguments by its name', () => {
    expect(show(['args', 'state'], { ...process, state: 'Z', args: [] })).toEqual(['[sh] <defunct>', 'Z'])
    expect(show(['args'], { ...process, args: [] })).toEqual(['[sh]'])
  })
  test('an unknown one is refused, and the known ones are named', () => {
    expect(() => columnsOf(['nope'])).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: "'nope': unknown descriptor",
        remedy: expect.stringContaining(descriptorNames().join(', ')),
      }),
    )
    expect(() => columnsOf(['toString'])).toThrow('unknown descriptor')
  })
  test('every column shows something', () => {
    for (const [index, cell] of show(descriptorNames()).entries()) {
      expect([descriptorNames()[index], cell]).not.toContain('')
      expect(cell).not.toMatch(/undefined|NaN/)
    }
  })
})
