import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type Clock, systemClock } from '../../../src/clock.ts'
import { type Bus, BusError, type Call, openBus, type Signal } from '../../../src/systemd/bus.ts'
import { timerProperties } from '../../../src/systemd/timer.ts'
import { openUnits, reasonOf, unitState } from '../../../src/systemd/units.ts'

const UNIT = 'tspod-kube@web.service'
const JOB = '/org/freedesktop/systemd1/job/7'
const MANAGER = { path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager' }

/** Waits are over at once, and the clock shows that they took place. */
function hurried(): Clock {
  let nowMs = 0
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: async (ms, signal) => {
      await new Promise(resolve => setTimeout(resolve, 1))
      signal?.throwIfAborted()
      nowMs += ms
    },
  }
}

type Answers = Record<string, (call: Call, tell: (result: string) => void) => unknown[]>

function unitsOn(answers: Answers, clock: Clock = systemClock) {
  const calls: Call[] = []
  const listeners = new Set<(signal: Signal) => void>()
  const tell = (result: string): void => {
    for (const listener of listeners) listener({ ...MANAGER, member: 'JobRemoved', body: [7, JOB, UNIT, result] })
  }
  const bus: Bus = {
    call: async call => {
      calls.push(call)
      return (answers[call.member] ?? (() => []))(call, tell)
    },
    listen: listener => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    variant: (signature, value) => ({ signature, value }),
    close: () => undefined,
  }
  return { units: openUnits(clock, 'system', async () => bus), calls, listeners }
}

const begins = (result?: string) => (_: Call, tell: (result: string) => void) => {
  if (result !== undefined) setTimeout(() => tell(result), 2)
  return [JOB]
}
const properties = (values: Record<string, unknown>) => () => [
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }])),
]
const fails = (type: string, text: string) => () => {
  throw new BusError(`org.freedesktop.${type}`, text)
}
const FAILED = { LoadState: 'loaded', ActiveState: 'failed', Result: 'exit-code', ExecMainStatus: 125 }
const { signal } = new AbortController()

describe('acting on a unit', () => {
  test.each([
    ['start', 'StartUnit'],
    ['stop', 'StopUnit'],
    ['restart', 'RestartUnit'],
    ['reload', 'ReloadUnit'],
  ] as const)('%s calls %s and waits for the job', async (action, member) => {
    const { units, calls, listeners } = unitsOn({ [member]: begins('done') })
    await units.act(action, UNIT, signal)
    expect(calls.at(-1)).toMatchObject({ member, signature: 'ss', body: [UNIT, 'replace'] })
    expect(listeners.size).toBe(0)
  })
  const refusals: [name: string, answers: Answers, error: object][] = [
    [
      'a job that failed, with what systemd knows of the unit',
      { StartUnit: begins('failed'), LoadUnit: () => ['/u'], GetAll: properties(FAILED) },
      { code: 'COMMAND_FAILED', message: `start ${UNIT}: it failed: its process ended with 125` },
    ],
    [
      'a unit that it needs',
      { StartUnit: begins('dependency'), LoadUnit: () => ['/u'], GetAll: properties({ LoadState: 'loaded' }) },
      { message: `start ${UNIT}: a unit that it needs did not start` },
    ],
    [
      'a masked unit',
      { StartUnit: fails('systemd1.UnitMasked', 'Unit web is masked.') },
      { code: 'COMMAND_FAILED', message: `systemd: start ${UNIT}: Unit web is masked.` },
    ],
    [
      'a user who may not',
      { StartUnit: fails('DBus.Error.AccessDenied', 'Access denied') },
      { code: 'NOT_ROOT', remedy: expect.stringContaining('sudo') },
    ],
    [
      'a job that systemd forgot, of a unit that is not up',
      {
        StartUnit: begins(),
        Get: fails('DBus.Error.UnknownObject', 'no job'),
        LoadUnit: () => ['/u'],
        GetAll: properties(FAILED),
      },
      { message: expect.stringContaining('its job ended with "lost"') },
    ],
    [
      'a systemd that stays away',
      { StartUnit: begins(), Get: fails('DBus.Error.ServiceUnknown', 'nobody') },
      { code: 'HOST_LACKS', message: expect.stringContaining('systemd has not been on the bus for 30 s') },
    ],
  ]
  test.each(refusals)('%s', async (_, answers, error) => {
    await expect(unitsOn(answers, hurried()).units.act('start', UNIT, signal)).rejects.toMatchObject(error)
  })
  test('a job whose end was missed is done when the unit is as it should be', async () => {
    const answers: Answers = {
      StartUnit: begins(),
      Get: fails('DBus.Error.UnknownObject', 'no job'),
      LoadUnit: () => ['/u'],
      GetAll: properties({ LoadState: 'loaded', ActiveState: 'active' }),
    }
    await unitsOn(answers, hurried()).units.act('start', UNIT, signal)
  })
  test('a systemd that is away for a moment is waited for', async () => {
    let asked = 0
    const answers: Answers = {
      StartUnit: begins(),
      Get: (_, tell) => {
        asked += 1
        if (asked === 3) tell('done')
        throw new BusError('org.freedesktop.DBus.Error.NoReply', 'gone')
      },
    }
    await unitsOn(answers, hurried()).units.act('start', UNIT, signal)
  })
  test('stopping what is not loaded is success; the wait ends with the signal', async () => {
    const nothing = { StopUnit: fails('systemd1.NoSuchUnit', 'not loaded') }
    await unitsOn(nothing).units.act('stop', UNIT, signal)
    const controller = new AbortController()
    const waiting = unitsOn({ StartUnit: begins() }).units.act('start', UNIT, controller.signal)
    setTimeout(() => controller.abort(new Error('ctrl-c')), 5)
    await expect(waiting).rejects.toThrow('ctrl-c')
  })
})

test('enabling makes links and has systemd read them', async () => {
  const link = ['symlink', '/etc/systemd/system/multi-user.target.wants/x', '/usr/lib/x']
  const { units, calls } = unitsOn({ EnableUnitFiles: () => [true, [link]], DisableUnitFiles: () => [[]] })
  expect(await units.enable([UNIT])).toEqual([{ kind: link[0], path: link[1], target: link[2] }])
  expect(await units.disable([UNIT])).toEqual([])
  expect(calls.map(({ member }) => member)).toEqual([
    'Subscribe',
    'AddMatch',
    'EnableUnitFiles',
    'Reload',
    'DisableUnitFiles',
    'Reload',
  ])
})

test('the state of a unit, with numbers that there are none of left out', () => {
  const values = {
    Description: 'web',
    LoadState: 'loaded',
    ActiveState: 'active',
    SubState: 'running',
    UnitFileState: 'enabled',
    FragmentPath: '/f',
    DropInPaths: ['/d'],
    NeedDaemonReload: true,
    StateChangeTimestamp: 1_700_000_000_123_456n,
    MainPID: 42,
    ExecMainStatus: 0,
    MemoryCurrent: 2n ** 64n - 1n,
    TasksCurrent: 3n,
    Result: 'success',
    StatusText: '1/1 up',
    ControlGroup: '/c',
    InvocationID: Uint8Array.from([1, 255]),
    LoadError: ['', ''],
  }
  const all = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]))
  const state = unitState(UNIT, all)
  expect(state).toEqual({
    unit: UNIT,
    description: 'web',
    load: 'loaded',
    loadError: '',
    active: 'active',
    sub: 'running',
    enabled: 'enabled',
    fragment: '/f',
    dropIns: ['/d'],
    stale: true,
    sinceMs: 1_700_000_000_123,
    mainPid: 42,
    tasks: 3,
    result: 'success',
    status: '1/1 up',
    cgroup: '/c',
    invocation: '01ff',
  })
  expect(reasonOf({ ...state, result: 'timeout' })).toBe('it took too long; it says: 1/1 up')
  expect(reasonOf({ ...state, load: 'masked', loadError: 'Unit is masked.' })).toBe('Unit is masked.')
})

/** An error message of D-Bus with one text, as the specification lays it out. */
function errorReply(serial: number, name: string, text: string): Buffer {
  const parts: number[] = []
  const align = (to: number): void => {
    while (parts.length % to !== 0) parts.push(0)
  }
  const word = (value: number): void => {
    align(4)
    parts.push(value & 255, value >> 8, 0, 0)
  }
  const string = (value: string): void => {
    word(value.length)
    parts.push(...Buffer.from(value), 0)
  }
  const field = (code: number, type: string, write: () => void): void => {
    align(8)
    parts.push(code, 1, type.charCodeAt(0), 0)
    write()
  }
  parts.push('l'.charCodeAt(0), 3, 0, 1)
  word(text.length + 5)
  word(1)
  word(0)
  field(5, 'u', () => word(serial))
  field(4, 's', () => string(name))
  field(8, 'g', () => parts.push(1, 's'.charCodeAt(0), 0))
  parts[12] = parts.length - 16
  align(8)
  string(text)
  return Buffer.from(parts)
}

describe('a bus that is of no use', () => {
  async function answering(answer: (socket: Socket) => void, clock: Clock): Promise<unknown> {
    const folder = await mkdtemp(join(tmpdir(), 'tspod-bus-'))
    const path = join(folder, 'bus')
    const sockets = new Set<Socket>()
    const server = createServer(socket => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      answer(socket)
    })
    await new Promise<void>(resolve => server.listen(path, resolve))
    try {
      return await openBus(clock, path).catch((error: unknown) => error)
    } finally {
      for (const socket of sockets) socket.destroy()
      server.close()
      rmSync(folder, { recursive: true })
    }
  }
  test('nobody listens', async () => {
    await expect(openBus(systemClock, '/nowhere/bus')).rejects.toMatchObject({
      code: 'HOST_LACKS',
      message: expect.stringContaining('/nowhere/bus'),
    })
  })
  test('it hangs up', async () => {
    expect(await answering(socket => socket.end(), systemClock)).toMatchObject({
      code: 'HOST_LACKS',
      message: expect.stringContaining('the connection was closed'),
    })
  })
  test('it refuses to talk', async () => {
    const refusal = (socket: Socket): void => {
      socket.on('data', data => {
        const text = data.toString('latin1')
        if (text.includes('AUTH EXTERNAL')) socket.write('OK 0123456789abcdef0123456789abcdef\r\n')
        if (!text.includes('Hello')) return
        socket.write(errorReply(1, 'org.freedesktop.DBus.Error.LimitsExceeded', 'too many connections'))
      })
    }
    expect(await answering(refusal, systemClock)).toMatchObject({
      code: 'HOST_LACKS',
      message: expect.stringContaining('it refuses: too many connections'),
    })
  })
  test('systemd refuses to be listened to', async () => {
    const { units } = unitsOn({ Subscribe: fails('DBus.Error.AccessDenied', 'no') })
    await expect(units.show(UNIT)).rejects.toMatchObject({
      code: 'HOST_LACKS',
      message: 'systemd cannot be talked to over D-Bus: no',
    })
  })
  test('it says nothing', async () => {
    expect(await answering(() => undefined, hurried())).toMatchObject({
      code: 'HOST_LACKS',
      message: expect.stringContaining('Hello got no answer within 25 s'),
    })
  })
})

describe('a unit that is to be started at a time', () => {
  const request = { name: 'wake', unit: UNIT, atMs: Date.UTC(2026, 11, 24, 18, 0, 0, 1), description: 'd' }

  test('has a timer in the place of an older one, and a service that wants it', async () => {
    const { units, calls } = unitsOn({ StopUnit: begins('done'), StartTransientUnit: begins('done') })
    await units.startAt(request)
    const made = calls.find(({ member }) => member === 'StartTransientUnit')
    expect(calls.findIndex(({ member }) => member === 'StopUnit')).toBeLessThan(calls.indexOf(made as Call))
    expect(made?.body?.slice(0, 2)).toEqual(['wake.timer', 'fail'])
    expect(made?.body?.[3]).toMatchObject([['wake.service', expect.anything()]])
  })

  test('is not started too early', () => {
    const { timer, service } = timerProperties(request)
    expect(timer).toContainEqual(['TimersCalendar', 'a(ss)', [['OnCalendar', '2026-12-24 18:00:01 UTC']]])
    expect(service).toContainEqual(['Wants', 'as', [UNIT]])
  })

  test('systemd may refuse it, or fail', async () => {
    const refuses = { StopUnit: begins('done'), StartTransientUnit: fails('DBus.Error.AccessDenied', 'no') }
    await expect(unitsOn(refuses).units.startAt(request)).rejects.toMatchObject({ code: 'NOT_ROOT' })
    const ends = { StopUnit: begins('done'), StartTransientUnit: begins('failed') }
    await expect(unitsOn(ends).units.startAt(request)).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: expect.stringContaining('wake.timer'),
    })
  })
})
