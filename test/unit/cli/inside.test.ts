/** Verbs that look into containers: what they ask of the engine and make of its answer. */
import { describe, expect, test } from '@jest/globals'
import { splitEnd } from '../../../src/cli/cp.ts'
import { interpret } from '../../../src/cli/interpret.ts'
import type { World } from '../../../src/cli/verb.ts'
import type { CopyEnd, CopyRequest, Engine } from '../../../src/engine/index.ts'
import { TspodError } from '../../../src/errors.ts'
import type { Id } from '../../../src/model.ts'
import { containerView, NOW_MS, podView, recordedOutput, recordedWorld } from '../../support/world.ts'

async function run(line: string, engine: Partial<Engine>, overrides: Partial<World> = {}) {
  const recorded = recordedWorld(engine, overrides)
  const invocation = await interpret(line.split(' '), 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  const outcome = await invocation.verb.run(invocation.input, recorded.world)
  return { ...outcome, printed: recorded.out(), told: recorded.err() }
}
const terminal = { out: recordedOutput({ isTerminal: true }).output }
const usage = expect.objectContaining({ code: 'USAGE' })

describe('cp', () => {
  test.each<[operand: string, end: CopyEnd]>([
    ['web:/etc', { container: 'web', path: '/etc' }],
    ['web/nginx:etc/.', { container: 'web/nginx', path: 'etc/.' }],
    ['./a:b', { path: '/here/a:b' }],
    ['/a:b', { path: '/a:b' }],
    ['dir', { path: '/here/dir' }],
    ['dir/', { path: '/here/dir/' }],
    ['dir/.', { path: '/here/dir/.' }],
    ['.', { path: '/here/.' }],
    ['..', { path: '/' }],
    ['/', { path: '/' }],
    ['-', { path: '-' }],
  ])('%s', (operand, end) => {
    expect(splitEnd(operand, '/here')).toEqual(end)
  })

  test('asks as its flags say and tells what is left out', async () => {
    const asked: CopyRequest[] = []
    const engine: Partial<Engine> = {
      copy: async (request, note) => {
        asked.push(request)
        note('/x\u001b is a FIFO')
      },
    }
    expect((await run('cp a web:/b', engine, { cwd: '/w' })).told).toBe('warning: /x? is a FIFO\n')
    await run('cp --archive=false --overwrite web:/b db:/c', engine)
    expect(asked).toEqual([
      { from: { path: '/w/a' }, to: { container: 'web', path: '/b' }, archive: true, overwrite: false },
      {
        from: { container: 'web', path: '/b' },
        to: { container: 'db', path: '/c' },
        archive: false,
        overwrite: true,
      },
    ])
  })

  test.each(['cp a b', 'cp - -', 'cp web: /x', 'cp /a', 'cp - x'])('refuses "%s"', async line => {
    await expect(interpret(line.split(' '), 80)).rejects.toEqual(usage)
  })
  test('refuses to write an archive to a terminal', async () => {
    await expect(run('cp web:/b -', {}, terminal)).rejects.toEqual(usage)
  })
})

describe('mount', () => {
  const path = '/merged'
  const engine: Partial<Engine> = {
    mounts: async () => [{ id: 'a'.repeat(64) as Id, name: 'web-a', path }],
    mount: async name => {
      if (name === 'nope') throw new TspodError('NO_SUCH_OBJECT', 'no such container', { remedy: 'look' })
      return { id: 'a'.repeat(64) as Id, name, path }
    },
    pods: async () => [
      podView({
        containers: [
          containerView({ id: '1'.repeat(64) as Id, createdMs: NOW_MS - 2 }),
          containerView({ id: '2'.repeat(64) as Id, createdMs: NOW_MS - 1 }),
        ],
      }),
    ],
  }
  test.each<[line: string, stdout: string]>([
    ['mount', 'aaaaaaaaaaaa /merged\n'],
    ['mount --no-trunc', `${'a'.repeat(64)} /merged\n`],
    ['mount web-a', '/merged\n'],
    ['mount web-a web-b', 'aaaaaaaaaaaa /merged\naaaaaaaaaaaa /merged\n'],
    ['container mount -l', '/merged\n'],
  ])('%s', async (line, stdout) => {
    expect((await run(line, engine)).stdout).toBe(stdout)
  })
  test('JSON has the names Podman gives', async () => {
    expect(JSON.parse((await run('mount --format json', engine)).stdout ?? '')).toEqual([
      { id: 'a'.repeat(64), Names: ['web-a'], mountpoint: path },
    ])
  })
  test('one that is not there does not keep the others back', async () => {
    const { stdout, stderr, exitCode } = await run('mount nope web-a', engine)
    expect({ stdout, stderr, exitCode }).toEqual({
      stdout: 'aaaaaaaaaaaa /merged\n',
      stderr: 'Error: no such container\n  look\n',
      exitCode: 125,
    })
  })
})

describe('unmount', () => {
  test('names, or all', async () => {
    const asked: unknown[] = []
    const engine: Partial<Engine> = {
      unmount: async (name, how) => {
        asked.push([name, how.force])
        return 'x' as Id
      },
      unmountAll: async how => {
        asked.push(['all', how.force])
        return ['y' as Id]
      },
    }
    expect((await run('umount web-a', engine)).stdout).toBe('web-a\n')
    expect((await run('container unmount -a -f', engine)).stdout).toBe('y\n')
    expect(asked).toEqual([
      ['web-a', false],
      ['all', true],
    ])
    await expect(run('unmount', engine)).rejects.toEqual(usage)
    await expect(run('unmount -a web', engine)).rejects.toEqual(usage)
  })
})

describe('export', () => {
  test('to a file, and never to a terminal', async () => {
    const asked: unknown[] = []
    const engine: Partial<Engine> = {
      exportRoot: async (name, output) => {
        asked.push([name, output])
      },
    }
    await run('export -o x.tar web', engine, { cwd: '/w', ...terminal })
    await run('container export web', engine)
    await expect(run('export web', engine, terminal)).rejects.toThrow('refusing to export to terminal')
    expect(asked).toEqual([
      ['web', '/w/x.tar'],
      ['web', undefined],
    ])
  })
})

describe('diff', () => {
  const engine: Partial<Engine> = { diff: async () => ({ changed: ['/b'], added: ['/a', '/c\n'], deleted: [] }) }
  test('lines by path', async () => {
    expect((await run('diff web', engine)).stdout).toBe('A /a\nC /b\nA /c \n')
  })
  test('JSON without what is empty', async () => {
    expect(JSON.parse((await run('diff --format json web', engine)).stdout ?? '')).toEqual({
      changed: ['/b'],
      added: ['/a', '/c\n'],
    })
  })
})

describe('container artifact', () => {
  test('add reads standard input or a file, get prints bytes, ls lists, rm removes', async () => {
    const asked: unknown[] = []
    const engine: Partial<Engine> = {
      addArtifact: async (container, name, data) => {
        asked.push([container, name, String(data)])
      },
      getArtifact: async () => Buffer.from('bytes'),
      listArtifacts: async () => [{ name: 'x', sizeBytes: 5, createdMs: NOW_MS }],
      removeArtifact: async (_container, name) => {
        if (name === 'nope') throw new TspodError('NO_SUCH_OBJECT', 'no such artifact', { remedy: 'look' })
      },
    }
    const { Readable } = await import('node:stream')
    await run('container artifact add web x', engine, { stdin: () => Readable.from([Buffer.from('from stdin')]) })
    expect(asked).toEqual([['web', 'x', 'from stdin']])
    await expect(run('container artifact add web x /nope/x', engine)).rejects.toMatchObject({ code: 'NO_SUCH_OBJECT' })
    expect((await run('container artifact get web x', engine)).printed).toBe('bytes')
    expect((await run('container artifact ls web', engine)).stdout).toBe(
      'NAME   SIZE   CREATED\nx      5 B    2026-01-02T12:00:00.000Z\n',
    )
    expect((await run('container artifact ls -q web', engine)).stdout).toBe('x\n')
    expect(await run('container artifact rm web nope x', engine)).toMatchObject({ stdout: 'x\n', exitCode: 125 })
  })
})

describe('commit', () => {
  test('--pause freezes what runs, and lets it go on whatever comes of it', async () => {
    const did: string[] = []
    const engine = (state: 'running' | 'paused'): Partial<Engine> => ({
      find: async () => ({ kind: 'container', pod: podView(), container: containerView({ state }) }),
      operateContainers: async (ids, action) => {
        did.push(action.do)
        return ids.map(id => ({ id, name: id }))
      },
      commit: async () => {
        did.push('commit')
        throw new TspodError('IMAGE_BAD_NAME', 'no', { remedy: 'no' })
      },
    })
    await expect(run('commit -p web-nginx', engine('running'))).rejects.toMatchObject({ code: 'IMAGE_BAD_NAME' })
    expect(did.splice(0)).toEqual(['pause', 'commit', 'unpause'])
    await expect(run('commit -p web-nginx', engine('paused'))).rejects.toMatchObject({ code: 'IMAGE_BAD_NAME' })
    expect(did).toEqual(['commit'])
  })
  test('asks as its flags say', async () => {
    const asked: unknown[] = []
    const engine: Partial<Engine> = {
      commit: async (name, request) => {
        asked.push([name, request])
        return 'id'
      },
    }
    expect((await run('commit -q -a me -m note -c USER=1 -c ENV=A=b,c web img:1', engine)).stdout).toBe('id\n')
    await run('container commit web', engine)
    expect(asked).toEqual([
      ['web', { image: 'img:1', changes: ['USER=1', 'ENV=A=b,c'], author: 'me', message: 'note' }],
      ['web', { changes: [], author: '', message: '' }],
    ])
  })
})

describe('port', () => {
  const both = containerView({
    ports: [
      { containerPort: 80, hostPort: 8080, hostIp: '', protocol: 'tcp' },
      { containerPort: 53, hostPort: 5353, hostIp: '::1', protocol: 'udp' },
      { containerPort: 9000, hostIp: '', protocol: 'tcp' },
    ],
  })
  const engine: Partial<Engine> = {
    find: async () => ({ kind: 'container', pod: podView(), container: both }),
    pods: async () => [podView({ containers: [both] })],
  }
  test.each<[line: string, stdout: string]>([
    ['port web', '80/tcp -> 0.0.0.0:8080\n53/udp -> [::1]:5353\n'],
    ['container port web 80', '0.0.0.0:8080\n'],
    ['port web 53/udp', '[::1]:5353\n'],
    ['port -l 80/tcp', '0.0.0.0:8080\n'],
    ['port -a', 'cccccccccccc\t80/tcp -> 0.0.0.0:8080\ncccccccccccc\t53/udp -> [::1]:5353\n'],
  ])('%s', async (line, stdout) => expect((await run(line, engine)).stdout).toBe(stdout))
  test.each(['port web 9000', 'port web 53'])('%s: nothing is published', async line => {
    await expect(run(line, engine)).rejects.toMatchObject({ code: 'NO_SUCH_OBJECT' })
  })
  test.each(['port', 'port web http', 'port -a web', 'port -l 80 81'])('%s is a mistake', async line => {
    await expect(run(line, engine)).rejects.toEqual(usage)
  })
})
