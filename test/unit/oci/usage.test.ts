import { describe, expect, test } from '@jest/globals'
import type { Hierarchy } from '../../../src/oci/cgroup.ts'
import { readUsage, type Usage } from '../../../src/oci/usage.ts'

const MEMINFO = 'MemTotal:        1000 kB\nMemFree: 1 kB\n'
const NET = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs
    lo:    9999       9    0    0    0     0          0         0     9999       9    0
  eth0:    100        1    0    0    0     0          0         0     30       1    0
  eth1:1          1    0    0    0     0          0         0     2       1    0
`
const v1 = (name: string): Hierarchy => ({ version: 1, mount: `/cg/${name}`, controllers: [name] })
const V1 = ['cpuacct', 'memory', 'pids', 'blkio'].map(v1)
const V2: Hierarchy = { version: 2, mount: '/cg', controllers: [] }

describe('what a container uses', () => {
  const cases: Record<string, { trees: Hierarchy[]; files: Record<string, string>; pid?: number; usage: Usage }> = {
    'on cgroup v1': {
      trees: V1,
      files: {
        '/cg/cpuacct/x/cpuacct.usage': '5000000\n',
        '/cg/memory/x/memory.usage_in_bytes': '4096\n',
        '/cg/memory/x/memory.limit_in_bytes': '8192\n',
        '/cg/pids/x/pids.current': '3\n',
        '/cg/blkio/x/blkio.throttle.io_service_bytes_recursive':
          '8:0 Read 100\n8:0 Write 7\n8:16 Read 1\n8:16 Write 0\n8:0 Total 107\nTotal 108\n',
      },
      usage: {
        cpuNs: 5_000_000,
        memoryBytes: 4096,
        memoryLimitBytes: 8192,
        pids: 3,
        io: { readBytes: 101, writtenBytes: 7 },
      },
    },
    'on cgroup v2': {
      trees: [V2],
      files: {
        '/cg/x/cpu.stat': 'usage_usec 5000\nuser_usec 1\n',
        '/cg/x/memory.current': '4096\n',
        '/cg/x/memory.max': '8192\n',
        '/cg/x/pids.current': '3\n',
        '/cg/x/io.stat': '8:0 rbytes=100 wbytes=7 rios=1 wios=1\n8:16 rbytes=1 wbytes=0 rios=1\n',
      },
      usage: {
        cpuNs: 5_000_000,
        memoryBytes: 4096,
        memoryLimitBytes: 8192,
        pids: 3,
        io: { readBytes: 101, writtenBytes: 7 },
      },
    },
    'without a limit: what the host has': {
      trees: [V2],
      files: { '/cg/x/memory.current': '1', '/cg/x/memory.max': 'max\n', '/proc/meminfo': MEMINFO },
      usage: { memoryBytes: 1, memoryLimitBytes: 1_024_000 },
    },
    'without a limit on v1': {
      trees: V1,
      files: {
        '/cg/memory/x/memory.usage_in_bytes': '1',
        '/cg/memory/x/memory.limit_in_bytes': '9223372036854771712',
        '/proc/meminfo': MEMINFO,
      },
      usage: { memoryBytes: 1, memoryLimitBytes: 1_024_000 },
    },
    'where no controller tells: nothing, rather than 0': { trees: [V2], files: {}, usage: {} },
    'the v2 tree beside v1 has what v1 has not': {
      trees: [v1('memory'), V2],
      files: { '/cg/x/pids.current': '3', '/cg/x/memory.current': '1' },
      usage: { pids: 3 },
    },
    'on the network, without loopback': {
      trees: [],
      files: { '/proc/7/net/dev': NET },
      pid: 7,
      usage: { net: { receivedBytes: 101, sentBytes: 32 } },
    },
  }
  for (const [name, { trees, files, pid, usage }] of Object.entries(cases)) {
    test(name, () => {
      expect(readUsage(trees, '/x', pid, path => files[path])).toEqual(usage)
    })
  }
})
