import { describe, expect, test } from '@jest/globals'
import { explain, lastMessage } from '../../../src/oci/failures.ts'

describe('what a runtime said becomes one sentence', () => {
  const cases: Record<string, [output: string, text: string]> = {
    'JSON log of crun': [
      '{"msg":"executable file `nope` not found in $PATH: No such file or directory","level":"error","time":"2026-01-01T00:00:00Z"}\n',
      'the image has no program "nope"',
    ],
    'JSON log of runc': [
      '{"level":"error","msg":"runc create failed: unable to start container process: exec: \\"/nope\\": stat /nope: no such file or directory","time":"2026-01-01T00:00:00Z"}\n',
      'the image has no program "/nope"',
    ],
    'runc, looked up in PATH': [
      '{"level":"error","msg":"runc create failed: unable to start container process: exec: \\"nope\\": executable file not found in $PATH","time":"t"}',
      'the image has no program "nope"',
    ],
    'runc, not executable': [
      '{"level":"error","msg":"runc create failed: unable to start container process: exec: \\"/etc\\": permission denied","time":"t"}',
      'the program "/etc" is not executable for the container\'s user',
    ],
    'crun, a directory': [
      '{"level":"error","msg":"open executable: Operation not permitted","time":"t"}',
      "the program is not executable for the container's user, or is a directory",
    ],
    'warnings are not the error': [
      '{"level":"error","msg":"mount failed","time":"t"}\n{"level":"warning","msg":"something else","time":"t"}\n',
      'mount failed',
    ],
    'several errors in a log: the last one sums up': [
      '{"level":"error","msg":"first","time":"t"}\n{"level":"info","msg":"so"}\n{"level":"error","msg":"second","time":"t"}\n',
      'second',
    ],
    'a line of runc that was cut off': [
      '{"level":"info","msg":"so","time":"t"}\n{"level":"error","msg":"cannot mount \\"x\\" to',
      'cannot mount "x" to',
    ],
    'a line of crun that was cut off': [
      '{"msg":"writing file `cgroup.procs`: No space left',
      'writing file `cgroup.procs`: No space left',
    ],
    'a warning that was cut off is not the error': [
      '{"level":"error","msg":"it broke","time":"t"}\n{"level":"warning","msg":"also th',
      'it broke',
    ],
    'text output of runc': [
      'time="2026-01-01T00:00:00Z" level=error msg="container \\"x\\" does not exist"\n',
      'container "x" does not exist',
    ],
    'text output of crun': ['2026-01-01T00:00:00.123456Z: cannot open directory\n', 'cannot open directory'],
    'several lines of blanks': ['\n\n  it   broke \n\n', 'it broke'],
    'not quite JSON': ['{"msg": broken', '{"msg": broken'],
    'nothing at all': ['', ''],
  }
  for (const [name, [output, text]] of Object.entries(cases)) {
    test(name, () => expect(explain(output).text).toBe(text))
  }

  test('known failures come with their own way out', () => {
    for (const message of [
      'hybrid mode not supported',
      'setrlimit (RLIM_MEMLOCK): Operation not permitted',
      'write: no space left on device',
      'exec format error',
    ]) {
      expect(explain(message).remedy).toBeDefined()
    }
  })

  test('control characters and line breaks in a message do not reach the terminal as lines', () => {
    expect(lastMessage('{"level":"error","msg":"a\\nb\\u001b[2J"}')).not.toMatch(/[\n\u001b]/)
  })
})
