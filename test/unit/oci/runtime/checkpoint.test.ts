import { describe, expect, test } from '@jest/globals'
import type { Id } from '../../../../src/model.ts'
import { checkpointArgs, criuFailed } from '../../../../src/oci/runtime/checkpoint.ts'

const ID = 'a'.repeat(64) as Id
const PLAIN = { imagePath: '/i', workPath: '/w', leaveRunning: false, tcpEstablished: false, fileLocks: false }

test('flags become arguments', () => {
  expect(checkpointArgs(ID, PLAIN)).toEqual(['checkpoint', '--image-path', '/i', '--work-path', '/w', ID])
  expect(checkpointArgs(ID, { ...PLAIN, leaveRunning: true, tcpEstablished: true, fileLocks: true })).toEqual([
    ...['checkpoint', '--image-path', '/i', '--work-path', '/w'],
    ...['--leave-running', '--tcp-established', '--file-locks', ID],
  ])
})

describe('why CRIU failed is one sentence', () => {
  const RLIMIT =
    "(00.05) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted\n"
  const cases: Record<string, { output?: string; log?: string; code: string; says: RegExp; remedy?: RegExp }> = {
    'the first error of its log that is one': {
      output: 'time="x" level=error msg="criu failed: type DUMP errno 0"\n',
      log: `${RLIMIT}(00.20) Error (criu/files-reg.c:1790): Can't lookup mount=279 for fd=1 path=/run/out
(00.27) Error (criu/cr-dump.c:1975): Dumping FAILED.\n`,
      code: 'COMMAND_FAILED',
      says: /^cannot checkpoint container web: Can't lookup mount=279 for fd=1 path=\/run\/out$/,
      remedy: /--keep/,
    },
    'open connections': {
      log: '(00.1) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.\n',
      code: 'COMMAND_FAILED',
      says: /Connected TCP socket/,
      remedy: /^use --tcp-established$/,
    },
    'a kernel that it is too old for': {
      output:
        'Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds\n' +
        'Error (criu/kerndat.c:1615): kerndat_vdso_fill_symtable failed when initializing kerndat.\n' +
        'Error (criu/crtools.c:260): Could not initialize kernel features detection.\n',
      code: 'CRIU_MISSING',
      says: /^criu does not work with this kernel: vdso: Unexpected rt vDSO area bounds$/,
      remedy: /newer criu/,
    },
    'no log at all: the runtime’s own words': {
      output: '{"level":"error","msg":"no such file or directory","time":"t"}\n',
      code: 'COMMAND_FAILED',
      says: /: no such file or directory$/,
    },
    'not a word': { code: 'COMMAND_FAILED', says: /it did not say why/ },
  }
  for (const [name, { output = '', log = '', code, says, remedy = /./ }] of Object.entries(cases)) {
    test(name, () => {
      const error = criuFailed('checkpoint container web', output, log)
      expect(error).toMatchObject({ code, message: expect.stringMatching(says), remedy: expect.stringMatching(remedy) })
      expect(error.message).not.toContain('\n')
    })
  }
})
