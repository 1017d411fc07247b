import { describe, expect, test } from '@jest/globals'
import { baseEnv, buildExecProcess, buildPauseSpec, buildSpec } from '../../../../src/oci/spec/index.ts'
import { schemaMistakes } from '../../../support/runtime-spec.ts'
import { containerSpec, hostFacts, imageConfig, securityOf, specInput } from '../../../support/spec-input.ts'

describe('the environment a container starts from', () => {
  const facts = { home: '/root', tty: false }

  test('defaults, under what the image says', () => {
    expect(
      baseEnv(imageConfig({ env: ['PATH=/app', 'A=b=c', 'EMPTY='] }), { ...facts, hostname: 'app', tty: true }),
    ).toEqual({
      PATH: '/app',
      container: 'podman',
      HOME: '/root',
      HOSTNAME: 'app',
      TERM: 'xterm',
      A: 'b=c',
      EMPTY: '',
    })
  })

  test('entries that could mean "copy it from outside" are dropped', () => {
    const env = baseEnv(imageConfig({ env: ['CANARY', 'CAN*', '=x', '*', 'N\0UL=1'] }), facts)
    expect(Object.keys(env)).toEqual(['PATH', 'container', 'HOME'])
  })
})

describe('a process that joins a container', () => {
  const container = containerSpec({ security: securityOf({ allowPrivilegeEscalation: false }) })
  const { config } = buildSpec(specInput({ container, env: { A: '1', B: '2' } }), hostFacts())
  const wanted = { args: ['sh'], env: { B: '3' }, tty: false }

  test('has its sandbox, and its environment with changes', () => {
    const process = buildExecProcess(config, wanted)
    expect(process).toMatchObject({ noNewPrivileges: true, args: ['sh'], cwd: '/', terminal: false })
    expect(process.capabilities).toEqual(config.process.capabilities)
    expect(process.rlimits).toEqual(config.process.rlimits)
    expect(process.env).toEqual(['HOME=/root', 'A=1', 'B=3'])
  })

  test('another user brings another home', () => {
    const process = buildExecProcess(config, {
      ...wanted,
      identity: { uid: 5, gid: 6, groups: [6, 7], home: '/games' },
    })
    expect(process.user).toEqual({ uid: 5, gid: 6, umask: 0o022, additionalGids: [6, 7] })
    expect(process.env).toContain('HOME=/games')
  })

  test('a terminal brings TERM; a directory below /proc is refused', () => {
    expect(buildExecProcess(config, { ...wanted, tty: true }).env).toContain('TERM=xterm')
    expect(() => buildExecProcess(config, { ...wanted, cwd: '/proc/self/fd/3' })).toThrow(
      expect.objectContaining({ code: 'SECURITY_REFUSED' }),
    )
  })
})

test('the container that only holds a PID namespace has no rights and is valid', () => {
  const input = specInput({ namespaces: { net: '/n', pid: 'host' } })
  const config = buildPauseSpec({ ...input, rootfs: '/run/tspod/pause', catatonit: '/usr/bin/catatonit' }, hostFacts())
  expect(schemaMistakes(config)).toEqual([])
  expect(config.process).toMatchObject({ noNewPrivileges: true, capabilities: { bounding: [], effective: [] } })
  expect(config.linux.namespaces).toContainEqual({ type: 'pid' })
  expect(config.root.readonly).toBe(true)
})
