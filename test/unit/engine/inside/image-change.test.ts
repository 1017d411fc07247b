import { describe, expect, test } from '@jest/globals'
import { applyChange } from '../../../../src/engine/inside/image-change.ts'

const BASE = { Cmd: ['sh'], Env: ['PATH=/bin', 'A=1'], Labels: { old: 'x' }, Other: 1 }

describe('changes of an image in the words of a Dockerfile', () => {
  test.each<[change: string, after: object]>([
    ['CMD ["a","b c"]', { Cmd: ['a', 'b c'] }],
    ['CMD=["a"]', { Cmd: ['a'] }],
    ['cmd echo hi', { Cmd: ['/bin/sh', '-c', 'echo hi'] }],
    ['ENTRYPOINT ["/x"]', { Entrypoint: ['/x'] }],
    ['ENV A=2', { Env: ['PATH=/bin', 'A=2'] }],
    ['ENV=B=x=y', { Env: ['PATH=/bin', 'A=1', 'B=x=y'] }],
    ['ENV B "x y"', { Env: ['PATH=/bin', 'A=1', 'B=x y'] }],
    ['EXPOSE 80 53/udp', { ExposedPorts: { '80/tcp': {}, '53/udp': {} } }],
    ['LABEL new=y', { Labels: { old: 'x', new: 'y' } }],
    ['STOPSIGNAL SIGINT', { StopSignal: 'SIGINT' }],
    ['USER 1:2', { User: '1:2' }],
    ['VOLUME ["/a b"]', { Volumes: { '/a b': {} } }],
    ['WORKDIR /w', { WorkingDir: '/w' }],
  ])('%s', (change, after) => {
    expect(applyChange(BASE, change)).toEqual({ ...BASE, ...after })
  })
  test.each(['', 'CMD', 'RUN x', 'constructor x', 'ENV X', 'ENV =x'])('refuses "%s"', change => {
    expect(() => applyChange(BASE, change)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
  test('what the base has of a wrong type is replaced', () => {
    expect(applyChange({ Env: 'x', Labels: 'y' }, 'LABEL a=b')).toEqual({ Env: 'x', Labels: { a: 'b' } })
    expect(applyChange({ Env: [1] }, 'ENV a=b')).toEqual({ Env: ['a=b'] })
  })
})
