import { describe, expect, test } from '@jest/globals'
import type { Id } from '../../../src/model.ts'
import { type CreateInput, conmonArgs, parseAnswer } from '../../../src/oci/conmon.ts'

const input: CreateInput = {
  runtime: { name: 'runc', path: '/usr/sbin/runc', version: '1.1.5', root: '/run/t/runtime/runc' },
  id: 'abc' as Id,
  name: 'web-nginx',
  bundle: '/run/t/b',
  conmonPath: '/usr/bin/conmon',
  runDir: '/run/t/c',
  exitDir: '/run/t/exits',
  log: [{ driver: 'k8s-file', path: '/var/log/x/0.log', maxBytes: 1000 }],
  tty: false,
  stdin: false,
  exitHook: ['/usr/lib/tspod/exit-hook', '/usr/bin/tspod', '--looks-like-an-option'],
}

test('everything conmon needs, and nothing that would depend on the caller', () => {
  expect(conmonArgs(input)).toEqual([
    ...['--cid', 'abc', '--cuuid', 'abc', '--name', 'web-nginx', '--runtime', '/usr/sbin/runc', '--bundle', '/run/t/b'],
    ...['--container-pidfile', '/run/t/c/container.pid', '--conmon-pidfile', '/run/t/c/conmon.pid'],
    ...['--exit-dir', '/run/t/exits', '--full-attach'],
    ...['--runtime-arg', '--root', '--runtime-arg', '/run/t/runtime/runc'],
    ...['--runtime-arg', '--log=/run/t/c/runtime.log', '--runtime-arg', '--log-format=json'],
    ...['--log-path', 'k8s-file:/var/log/x/0.log', '--log-size-max', '1000'],
    ...['--exit-command', '/usr/lib/tspod/exit-hook', '--exit-command-arg', '/usr/bin/tspod'],
    ...['--exit-command-arg', '--looks-like-an-option'],
  ])
})

const variants: Record<string, { change: Partial<CreateInput>; has: string[] }> = {
  'a terminal': { change: { tty: true }, has: ['--terminal'] },
  'standard input': { change: { stdin: true }, has: ['--stdin', '--leave-stdin-open'] },
  'standard input for one attachment': { change: { stdin: 'once' }, has: ['--stdin'] },
  'a checkpoint to go on from': {
    change: { restore: { imagePath: '/images', tcpEstablished: true, fileLocks: true } },
    has: ['--restore', '/images', '--runtime-opt', '--tcp-established', '--runtime-opt', '--file-locks'],
  },
  'no log': { change: { log: [] }, has: ['--log-path', 'none'] },
  'two logs': {
    change: { log: [...input.log, { driver: 'journald', path: '', maxBytes: 0, tag: 'web' }] },
    has: ['--log-path', 'k8s-file:/var/log/x/0.log', '--log-path', 'journald', '--log-tag', 'web'],
  },
}
describe('with', () => {
  for (const [name, { change, has }] of Object.entries(variants)) {
    test(name, () => expect(conmonArgs({ ...input, ...change })).toEqual(expect.arrayContaining(has)))
  }
})

test('only standard input that is kept is left open', () => {
  expect(conmonArgs({ ...input, stdin: 'once' })).not.toContain('--leave-stdin-open')
})

describe('conmon’s answer', () => {
  const cases: [line: string | undefined, answer: ReturnType<typeof parseAnswer>][] = [
    ['{"pid": 23434}', { pid: 23434, message: '' }],
    ['{"data": 12}', { pid: 12, message: '' }],
    ['{"pid":-1,"message":"it broke\\n"}', { pid: -1, message: 'it broke' }],
    ['{"pid":"7"}', { message: '' }],
    ['', { message: 'conmon answered ""' }],
    ['null', { message: 'conmon answered "null"' }],
    [undefined, { message: '' }],
  ]
  for (const [line, answer] of cases)
    test(JSON.stringify(line) ?? 'none', () => expect(parseAnswer(line)).toEqual(answer))
})
