import { describe, expect, test } from '@jest/globals'
import { doctorOutcome } from '../../../src/cli/doctor.ts'
import { failureText, signalExitCode } from '../../../src/cli/failure.ts'
import { makeOutput, printable, type TextStream } from '../../../src/cli/output.ts'
import { progressLine } from '../../../src/cli/progress.ts'
import { TspodError } from '../../../src/errors.ts'
import { recordedOutput } from '../../support/world.ts'

function fakeStream(isTTY: boolean) {
  const written: string[] = []
  let fail: ((error: Error) => void) | undefined
  const stream: TextStream = {
    write: text => written.push(String(text)),
    on: (_event, listener) => {
      fail = listener
    },
    isTTY,
  }
  return { stream, written, fail: (error: Error) => fail?.(error) }
}

describe('what is known about the reader', () => {
  const cases: [name: string, isTTY: boolean, env: Record<string, string>, rewritable: boolean, colour: boolean][] = [
    ['a terminal', true, { TERM: 'xterm' }, true, true],
    ['a terminal whose user wants no colour', true, { TERM: 'xterm', NO_COLOR: '1' }, true, false],
    ['NO_COLOR without a value counts as not set', true, { NO_COLOR: '' }, true, true],
    ['a dumb terminal', true, { TERM: 'dumb' }, false, false],
    ['a pipe', false, { TERM: 'xterm' }, false, false],
  ]
  for (const [name, isTTY, env, rewritable, colour] of cases) {
    test(name, () => {
      expect(makeOutput(fakeStream(isTTY).stream, env)).toMatchObject({ isTerminal: isTTY, rewritable, colour })
    })
  }
  test('after the reader has gone nothing is written any more', () => {
    const { stream, written, fail } = fakeStream(false)
    const output = makeOutput(stream, {})
    output.write('one')
    fail(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    output.write('two')
    expect(written).toEqual(['one'])
    expect(output.closed.aborted).toBe(true)
  })
})

describe('progress', () => {
  const steps = [
    { object: 'nginx', text: 'pulling' },
    { object: 'nginx', text: 'pulling' },
    { object: '', text: 'a text that is far too long' },
  ]
  test('plain lines, each once', () => {
    const { output, text } = recordedOutput()
    const progress = progressLine(output, false)
    for (const step of steps) progress.show(step)
    progress.finish()
    expect(text()).toBe('nginx: pulling\na text that is far too long\n')
  })
  test('one line on a terminal, never wider than it, gone at the end', () => {
    const { output, text } = recordedOutput({ rewritable: true, columns: 12 })
    const progress = progressLine(output, false)
    for (const step of steps) progress.show(step)
    progress.finish()
    expect(text()).toBe('\r\x1b[2Knginx: pull\r\x1b[2Ka text that\r\x1b[2K')
  })
  test('quiet', () => {
    const { output, text } = recordedOutput()
    const progress = progressLine(output, true)
    for (const step of steps) progress.show(step)
    progress.finish()
    expect(text()).toBe('')
  })
})

describe('failures', () => {
  test('one line, and the way out below it', () => {
    const error = new TspodError('EXEC_NOT_FOUND', 'no program "x"', { remedy: 'check\nthen look' })
    expect(failureText(error)).toEqual({ text: 'Error: no program "x"\n  check\n  then look\n', exitCode: 127 })
  })
  test('what the message sums up comes first', () => {
    const error = new TspodError('MANIFEST_INVALID', '2 errors in a.yaml', {
      remedy: 'correct it',
      details: 'a\n\nb\n',
    })
    expect(failureText(error)).toEqual({ text: 'a\n\nb\nError: 2 errors in a.yaml\n  correct it\n', exitCode: 125 })
  })
  test('a bug of ours shows where it is', () => {
    const { text, exitCode } = failureText(new Error('cannot be'))
    expect(text).toMatch(/^Error: internal error: Error: cannot be\n {4}at .*output\.test/)
    expect(exitCode).toBe(125)
    expect(failureText('a string').text).toContain('internal error: a string')
  })
  test('signals', () => {
    expect([signalExitCode('SIGHUP'), signalExitCode('SIGINT'), signalExitCode('SIGTERM')]).toEqual([129, 130, 143])
  })
})

test('text that would steer a terminal or turn its direction', () => {
  expect(printable('a\u001b]0;x\u0007\nb\tc\u202ed\u009b')).toBe('a?]0;x? b c?d?')
})

describe('doctor', () => {
  const ok = { name: 'crun', status: 'ok', found: '1.21', needed: '1.8 or newer' } as const
  const warn = { name: 'cgroups', status: 'warn', found: 'hybrid', needed: 'v2', remedy: 'boot with v2' } as const
  const missing = {
    name: 'conmon',
    status: 'missing',
    found: '',
    needed: '2.1.2 or newer',
    remedy: 'apt install conmon',
  } as const
  test('each lack with its remedy, and a sum', () => {
    expect(doctorOutcome([ok, warn, missing], { colour: false })).toEqual({
      stdout:
        'ok      crun     1.21\n' +
        'warn    cgroups  hybrid\n                 needs v2\n                 → boot with v2\n' +
        'missing conmon\n                 needs 2.1.2 or newer\n                 → apt install conmon\n' +
        '\n1 ok, 1 limited, 1 missing\n',
      exitCode: 1,
    })
  })
  test('limits alone are no failure; colours on a terminal', () => {
    const outcome = doctorOutcome([ok, warn], { colour: true })
    expect(outcome.exitCode).toBe(0)
    expect(outcome.stdout).toContain('\x1b[32mok      \x1b[0mcrun')
  })
})
