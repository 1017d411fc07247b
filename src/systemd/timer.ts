/** Transient timers: a unit is started at a time, and nothing of that stays. */
import { BusError } from './bus.ts'
import type { Jobs } from './jobs.ts'

/** `name`: of the timer, and of a service that does nothing but want `unit`. */
export type TimerRequest = { name: string; unit: string; atMs: number; description: string }

type Property = [name: string, type: string, value: unknown]

/** systemd may put off what it starts to start other things with it: so long, in microseconds. */
const ACCURACY_US = 1_000_000n

/** What a timer and its service are made of, as names, D-Bus types and values. Pure. */
export function timerProperties({ unit, atMs, description }: TimerRequest): {
  timer: Property[]
  service: Property[]
} {
  // A second that has begun is over: it must not come too early.
  const at = new Date(Math.ceil(atMs / 1000) * 1000).toISOString()
  return {
    timer: [
      ['Description', 's', description],
      ['TimersCalendar', 'a(ss)', [['OnCalendar', `${at.slice(0, 10)} ${at.slice(11, 19)} UTC`]]],
      ['AccuracyUSec', 't', ACCURACY_US],
      ['RemainAfterElapse', 'b', false],
    ],
    // A timer of this kind can start no service but that of its own name.
    service: [
      ['Description', 's', description],
      ['Type', 's', 'oneshot'],
      ['Wants', 'as', [unit]],
      ['ExecStart', 'a(sasb)', [['/bin/true', ['/bin/true'], false]]],
    ],
  }
}

/** Starts a timer of a name that is free. Throws BusError. */
export async function startTimer(jobs: Jobs, request: TimerRequest): Promise<void> {
  const { variant } = await jobs.connect()
  const typed = (properties: Property[]): unknown[] =>
    properties.map(([name, type, value]) => [name, variant(type, value)])
  const { timer, service } = timerProperties(request)
  const body = [`${request.name}.timer`, 'fail', typed(timer), [[`${request.name}.service`, typed(service)]]]
  const result = await jobs.run('StartTransientUnit', 'ssa(sv)a(sa(sv))', body, {})
  if (result !== 'done') throw new BusError(result, `its job ended with "${result}"`)
}
