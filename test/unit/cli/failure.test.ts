import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { failureText } from '../../../src/cli/failure.ts'

const ofKernel = (code: string): Error =>
  Object.assign(new Error(`${code}: words, write '/run/x'`), { code, syscall: 'write', path: '/run/x' })

test('what the host is out of is said in its words, with a way out, and not called a bug', () => {
  expect(failureText(ofKernel('ENOSPC'))).toEqual({
    text: 'Error: no space left on device (write /run/x)\n  free some space: df -h shows where it is missing\n',
    exitCode: 125,
  })
  for (const code of ['EDQUOT', 'EROFS', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']) {
    expect(failureText(ofKernel(code)).text).not.toMatch(/bug/)
  }
})

test('any other failure of a system call is a bug of ours', () => {
  const missing = (): unknown => {
    try {
      return readFileSync('/nonexistent/file')
    } catch (error) {
      return error
    }
  }
  expect(failureText(missing()).text).toMatch(/internal error: .*ENOENT[\s\S]*this is a bug/)
})
