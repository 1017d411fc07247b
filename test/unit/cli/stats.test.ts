/** stats and top: from readings and tables to what is printed. */
import { describe, expect, test } from '@jest/globals'
import { interpret } from '../../../src/cli/interpret.ts'
import { type Figures, figures } from '../../../src/cli/stats-figures.ts'
import type { World } from '../../../src/cli/verb.ts'
import { goDuration } from '../../../src/duration.ts'
import type { Engine, Reading, StatsRequest } from '../../../src/engine/index.ts'
import type { Id } from '../../../src/model.ts'
import { NOW_MS, podView, recordedOutput, recordedWorld } from '../../support/world.ts'

const reading = (more: Partial<Reading> = {}): Reading => ({
  id: 'c'.repeat(64) as Id,
  name: 'web-a',
  pod: 'web',
  podId: 'd'.repeat(64) as Id,
  kind: 'regular',
  atMs: 2000,
  upMs: 10_000,
  usage: {
    cpuNs: 1_500_000_000,
    memoryBytes: 5_000_000,
    memoryLimitBytes: 20_000_000,
    pids: 3,
    io: { readBytes: 0, writtenBytes: 1234 },
    net: { receivedBytes: 999, sentBytes: 1_048_576 },
  },
  ...more,
})
const earlier = reading({ atMs: 1000, usage: { cpuNs: 1_000_000_000 } })
const NOTHING: Figures = {
  cpu: null,
  averageCpu: null,
  cpuTime: null,
  memory: null,
  memoryBytes: null,
  memoryShare: null,
  net: null,
  io: null,
  pids: null,
}

describe('figures', () => {
  const cases: Record<string, { now: Reading; before?: Reading; shown: Partial<Figures> }> = {
    'of two readings': {
      now: reading(),
      before: earlier,
      shown: {
        cpu: '50.00%',
        averageCpu: '15.00%',
        cpuTime: '1.5s',
        memory: '5MB / 20MB',
        memoryBytes: '4.768MiB / 19.07MiB',
        memoryShare: '25.00%',
        net: '999B / 1.049MB',
        io: '0B / 1.234kB',
        pids: '3',
      },
    },
    'of one reading: no share of CPU': { now: reading(), shown: { cpu: null, averageCpu: '15.00%' } },
    'of a container that was started anew meanwhile': {
      now: reading({ usage: { cpuNs: 5 } }),
      before: earlier,
      shown: { cpu: null },
    },
    'of what cannot be told': { now: reading({ usage: {} }), before: earlier, shown: NOTHING },
    'of memory without a limit': {
      now: reading({ usage: { memoryBytes: 1, memoryLimitBytes: Number.POSITIVE_INFINITY } }),
      shown: { memory: '1B / --', memoryShare: null },
    },
  }
  for (const [name, { now, before, shown }] of Object.entries(cases)) {
    test(name, () => expect(figures(now, before)).toMatchObject(shown))
  }
})

test.each([
  [0, '0s'],
  [0.0404, '40µs'],
  [12.345, '12.345ms'],
  [999.9999, '1s'],
  [61_500, '1m1.5s'],
  [3_600_000, '1h0m0s'],
])('%d ms is %s in Go', (ms, text) => expect(goDuration(ms)).toBe(text))

async function run(line: string, engine: Partial<Engine>, overrides: Partial<World> = {}) {
  const recorded = recordedWorld(engine, overrides)
  const invocation = await interpret(line.split(' '), 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  return { ...(await invocation.verb.run(invocation.input, recorded.world)), printed: recorded.out() }
}

/** Answers with the readings in turn, and stops the world after the last one. */
function engineOf(
  asked: StatsRequest[],
  stop = new AbortController(),
): { engine: Partial<Engine>; signal: AbortSignal } {
  const readings = [earlier, reading(), reading({ atMs: 3000, usage: {} })]
  const engine: Partial<Engine> = {
    stats: async request => {
      const next = readings[asked.push(request) - 1]
      if (next === undefined) stop.abort()
      return [next ?? reading()]
    },
    // As engines list them, by name: the one that was made last stands first.
    pods: async () => [podView({ id: 'p'.repeat(64) as Id, createdMs: NOW_MS }), podView({ createdMs: NOW_MS - 1 })],
  }
  return { engine, signal: stop.signal }
}

describe('stats', () => {
  test('--no-stream prints one list and asks as its flags say', async () => {
    const asked: StatsRequest[] = []
    const { engine } = engineOf(asked)
    const { stdout } = await run('container stats --no-stream -a web-a', engine)
    expect(stdout).toBe(
      'ID             NAME    CPU %    MEM USAGE / LIMIT   MEM %    NET IO           BLOCK IO       PIDS   CPU TIME   AVG CPU %\n' +
        'cccccccccccc   web-a   50.00%   5MB / 20MB          25.00%   999B / 1.049MB   0B / 1.234kB   3      1.5s       15.00%\n',
    )
    expect(asked[0]).toEqual({ names: ['web-a'], pods: false, all: true })
  })

  test('JSON has the names Podman gives, and null for what cannot be told', async () => {
    const { engine } = engineOf([{ names: [], pods: false, all: false }])
    const { stdout } = await run('stats --no-stream --no-trunc --format json', engine)
    expect(JSON.parse(stdout ?? '')).toEqual([
      {
        id: 'c'.repeat(64),
        name: 'web-a',
        cpu_time: null,
        cpu_percent: null,
        avg_cpu: null,
        mem_usage: null,
        mem_percent: null,
        net_io: null,
        block_io: null,
        pids: null,
      },
    ])
  })

  test.each([
    ['a pipe is never cleared', {}, 'stats', false],
    ['a terminal is', { isTerminal: true, rewritable: true }, 'stats', true],
    ['unless it is asked not to', { isTerminal: true, rewritable: true }, 'stats --no-reset', false],
  ])('%s', async (_name, kind, line, cleared) => {
    const { engine, signal } = engineOf([])
    const { output, text } = recordedOutput(kind)
    expect(await run(line, engine, { out: output, signal })).toMatchObject({ interrupted: true })
    expect(text().match(/^(\u001b\[2J\u001b\[H)?ID /gm)).toHaveLength(3)
    expect(text().includes('\u001b')).toBe(cleared)
    expect(text()).toContain('-- / --')
  })

  test.each([
    ['stats --no-stream --format {{.Name}}:{{.CPUPerc}}:{{.NetIO}}', 'web-a:50.00%:999B / 1.049MB\n'],
    ['pod stats --no-stream --format {{.Name}}:{{.CPU}}:{{.Mem}}', 'web-a:50.00%:25.00%\n'],
  ])('%s', async (line, stdout) => {
    expect((await run(line, engineOf([]).engine)).stdout).toBe(stdout)
    const unknown = engineOf([{ names: [], pods: false, all: false }]).engine
    expect((await run(line, unknown)).stdout).toMatch(/^web-a:--:--/)
  })

  test('every field of a template has a title', async () => {
    const format = 'table {{.ID}}|{{.AVGCPU}}|{{.MemUsageBytes}}|{{.UpTime}}'
    const invocation = await interpret(['stats', '--no-stream', '--format', format], 80)
    if (invocation.kind === 'text') throw new Error('this is help')
    const { stdout } = await invocation.verb.run(invocation.input, recordedWorld(engineOf([]).engine).world)
    expect(stdout).toBe('ID|AVG CPU %|MEM USAGE / LIMIT|CPU TIME\ncccccccccccc|15.00%|4.768MiB / 19.07MiB|1.5s\n')
  })

  test('pod stats asks for pods and names them', async () => {
    const asked: StatsRequest[] = []
    const { engine } = engineOf(asked)
    const { stdout } = await run('pod stats --no-stream -l', engine)
    expect(asked[0]).toEqual({ names: ['p'.repeat(64)], pods: true, all: false })
    expect(stdout).toMatch(/^POD +CID +NAME +CPU % .*\ndddddddddddd +cccccccccccc +web-a +50.00% /)
    const record = JSON.parse((await run('pod stats --no-stream --format json', engineOf([]).engine)).stdout ?? '')[0]
    expect(record).toMatchObject({ Pod: 'd'.repeat(12), CID: 'c'.repeat(12), Name: 'web-a', CPU: '50.00%', PIDS: '3' })
  })
})

describe('top', () => {
  const asked: unknown[] = []
  const answer = { header: ['PID', 'COMMAND'], rows: [['1', 'sh \u001b[2J']] }
  const engine: Partial<Engine> = {
    top: async (name, columns) => {
      asked.push(['top', name, columns])
      return answer
    },
    topPod: async (name, columns) => {
      asked.push(['pod', name, columns])
      return answer
    },
    pods: async () => [podView({ createdMs: NOW_MS }), podView({ id: 'b'.repeat(64) as Id, createdMs: NOW_MS - 1 })],
  }
  test('shows a table in which no process steers the terminal', async () => {
    expect((await run('top web pid args', engine)).stdout).toBe('PID   COMMAND\n1     sh ?[2J\n')
    await run('pod top web', engine)
    await run('container top -l pid', engine)
    expect(asked).toEqual([
      ['top', 'web', ['pid', 'args']],
      ['pod', 'web', []],
      ['top', podView().containers[0]!.id, ['pid']],
    ])
  })
  test('needs a container', async () => {
    await expect(run('top', engine)).rejects.toMatchObject({ code: 'USAGE' })
  })
  test('lists its columns for completion', async () => {
    expect((await run('top --list-descriptors', engine)).stdout).toMatch(/^args\ncapamb\n/)
  })
})
