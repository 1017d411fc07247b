/** What is made of a runtime's last words about a command. */
import { expect, test } from '@jest/globals'
import { refusalIn } from '../../../../src/engine/exec/refusal.ts'

const cases: [name: string, message: string, code: string][] = [
  ['no such program', 'executable file `nosuch` not found in $PATH: No such file or directory', 'EXEC_NOT_FOUND'],
  ['a directory', 'open executable: Operation not permitted', 'EXEC_CANNOT_INVOKE'],
  [
    'a cgroup that somebody has removed is no missing program',
    'error opening file `/sys/fs/cgroup/freezer/tspod/pod-web-1/a/freezer.state`: No such file or directory',
    'START_FAILED',
  ],
]
test.each(cases)('%s', (_, msg, code) => {
  const log = `${JSON.stringify({ msg, level: 'error', time: '2026-01-02T12:00:00Z' })}\n`
  expect(refusalIn(log, { args: ['nosuch'] })).toMatchObject({ code })
})
test('a runtime that says nothing has run it', () => expect(refusalIn('', { args: ['true'] })).toBeUndefined())
