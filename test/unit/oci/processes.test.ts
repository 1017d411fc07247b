import { describe, expect, test } from '@jest/globals'
import { type ProcessTexts, parseProcess } from '../../../src/oci/processes.ts'

const STAT = '296 (a (b) c) S 279 300 296 34816 -1 4194560 1159 122 0 0 150 50 0 0 20 -5 1 0 91136 2322432 380 0'
const STATUS = `Name:\ta (b) c
PPid:\t279
Uid:\t1000\t0\t0\t0
Gid:\t1001\t1002\t0\t0
Groups:\t7 8 
NSpid:\t296\t17\t1
NSpgid:\t300\t20\t4
CapInh:\t0000000000000000
CapPrm:\t00000000800405fb
CapEff:\t0000000000000001
CapBnd:\t000001ffffffffff
CapAmb:\t0000000000000000
Seccomp:\t2
`
const HOST_IDS = '         0          0 4294967295\n'
const texts = (more: Partial<ProcessTexts> = {}): ProcessTexts => ({
  hostPid: 296,
  depth: 2,
  uptimeMs: 1_000_000,
  stat: STAT,
  status: STATUS,
  parentPid: 5,
  cmdline: 'sh\0-c\0\0x y\0',
  label: 'profile (enforce)\n',
  uidMap: HOST_IDS,
  gidMap: HOST_IDS,
  ...more,
})

describe('one process of /proc', () => {
  test('is read as it stands, with a name full of brackets', () => {
    expect(parseProcess(texts())).toEqual({
      hostPid: 296,
      pid: 17,
      ppid: 5,
      pgid: 20,
      state: 'S',
      comm: 'a (b) c',
      args: ['sh', '-c', '', 'x y'],
      ids: { uid: 0, gid: 1002, realUid: 1000, realGid: 1001, groups: [7, 8] },
      hostIds: { uid: 0, gid: 1002, groups: [7, 8] },
      nice: -5,
      virtualBytes: 2_322_432,
      residentBytes: 380 * 4096,
      cpuMs: 2000,
      elapsedMs: 1_000_000 - 911_360,
      tty: 'pts/0',
      caps: { ambient: 0n, bounding: 0x1ffffffffffn, effective: 1n, inheritable: 0n, permitted: 0x800405fbn },
      seccomp: 'filter',
      label: 'profile (enforce)',
    })
  })
  test('a container in the namespace of the host has the pids of the host', () => {
    expect(parseProcess(texts({ depth: 1 }))).toMatchObject({ pid: 296, pgid: 300 })
  })
  test('a process that went deeper is named as the container names it', () => {
    expect(parseProcess(texts({ depth: 3 }))).toMatchObject({ pid: 1, pgid: 4 })
  })
  test('ids are those of the user namespace', () => {
    const facts = parseProcess(texts({ uidMap: '0 100000 65536\n5000 0 2000\n', gidMap: '10 1000 5\n' }))
    expect(facts.ids).toMatchObject({ uid: 5000, realUid: 6000, gid: 12, realGid: 11 })
    expect(facts.hostIds).toMatchObject({ uid: 0, gid: 1002 })
  })
  test('a zombie has no arguments, and what the kernel does not say is a question mark', () => {
    const facts = parseProcess(
      texts({ stat: STAT.replace(' S ', ' Z ').replace(' 34816 ', ' 0 '), cmdline: '', label: '' }),
    )
    expect(facts).toMatchObject({ state: 'Z', args: [], tty: '?', label: '?' })
  })
})
