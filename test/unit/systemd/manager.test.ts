import { describe, expect, test } from '@jest/globals'
import { systemClock } from '../../../src/clock.ts'
import { type Bus, BusError, type Call, type Signal } from '../../../src/systemd/bus.ts'
import { openManager, scopeProperties } from '../../../src/systemd/manager.ts'

const request = { unit: 'tspod-pod-a-1.scope', slice: 'machine.slice', description: 'tspod pod a', pids: [42] }

/** A systemd that answers StartTransientUnit and StopUnit as told and then reports the job's result. */
function fakeBus(how: { result?: string; error?: BusError; early?: boolean }): {
  bus: Bus
  calls: Call[]
  closed: () => boolean
} {
  const calls: Call[] = []
  const listeners = new Set<(signal: Signal) => void>()
  let closed = false
  const job = '/org/freedesktop/systemd1/job/7'
  const removed = (path: string, result: string): void => {
    const body = [7, path, request.unit, result]
    const from = { path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager' }
    for (const listener of listeners) listener({ ...from, member: 'JobRemoved', body })
  }
  const bus: Bus = {
    call: async call => {
      calls.push(call)
      if (call.member === 'Subscribe' || call.member === 'AddMatch') return []
      if (how.error !== undefined) throw how.error
      const report = (): void => {
        removed('/org/freedesktop/systemd1/job/6', 'failed')
        removed(job, how.result ?? 'done')
      }
      if (how.early === true) report()
      else setTimeout(report, 5)
      return [job]
    },
    listen: listener => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    variant: (signature, value) => ({ signature, value }),
    close: () => {
      closed = true
    },
  }
  return { bus, calls, closed: () => closed }
}

const managerOn = (bus: Bus) => openManager(systemClock, async () => bus)

describe('starting a scope', () => {
  test('subscribes, calls, and waits for its own job', async () => {
    const { bus, calls } = fakeBus({})
    expect(await managerOn(bus).startScope(request)).toBe('started')
    expect(calls.map(call => call.member)).toEqual(['Subscribe', 'AddMatch', 'StartTransientUnit'])
    expect(calls[2]).toMatchObject({
      signature: 'ssa(sv)a(sa(sv))',
      body: [request.unit, 'fail', expect.anything(), []],
    })
  })

  test('a result that comes before the reply is not missed', async () => {
    expect(await managerOn(fakeBus({ early: true }).bus).startScope(request)).toBe('started')
  })

  test('connects once', async () => {
    const { bus, calls } = fakeBus({})
    const manager = managerOn(bus)
    await Promise.all([manager.startScope(request), manager.startScope(request)])
    expect(calls.filter(call => call.member === 'Subscribe')).toHaveLength(1)
  })

  test('a scope that is there already is said to be', async () => {
    const error = new BusError('org.freedesktop.systemd1.UnitExists', 'already there')
    expect(await managerOn(fakeBus({ error }).bus).startScope(request)).toBe('exists')
  })

  test('a failed job and a refused call name the unit and the reason', async () => {
    await expect(managerOn(fakeBus({ result: 'failed' }).bus).startScope(request)).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: expect.stringMatching(/tspod-pod-a-1\.scope.*"failed"/),
    })
    const error = new BusError('org.freedesktop.DBus.Error.AccessDenied', 'Access denied')
    await expect(managerOn(fakeBus({ error }).bus).startScope(request)).rejects.toMatchObject({
      message: expect.stringContaining('Access denied'),
    })
  })
})

test('stopping what is not loaded is success', async () => {
  const error = new BusError('org.freedesktop.systemd1.NoSuchUnit', 'not loaded')
  await managerOn(fakeBus({ error }).bus).stopUnit('x.scope')
})

test('closing before anything was asked connects to nothing', () => {
  openManager(systemClock, async () => {
    throw new Error('connected')
  }).close()
})

test('closing ends the connection', async () => {
  const { bus, closed } = fakeBus({})
  const manager = managerOn(bus)
  await manager.startScope(request)
  manager.close()
  expect(closed()).toBe(true)
})

test('a pod’s scope is delegated and goes away by itself', () => {
  expect(scopeProperties(request)).toEqual([
    ['Description', 's', 'tspod pod a'],
    ['Slice', 's', 'machine.slice'],
    ['Delegate', 'b', true],
    ['CollectMode', 's', 'inactive-or-failed'],
    ['PIDs', 'au', [42]],
  ])
})
