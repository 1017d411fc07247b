/** Jobs of systemd's manager: a method is called, and the result of the job it began is waited for. */
import type { Clock } from '../clock.ts'
import { TspodError } from '../errors.ts'
import { type Bus, BusError, type Signal } from './bus.ts'

const PEER = { destination: 'org.freedesktop.systemd1', path: '/org/freedesktop/systemd1' }
export const MANAGER = { ...PEER, interface: 'org.freedesktop.systemd1.Manager' }

export type JobWait = {
  /** How long the job may take; without it as long as it takes, while systemd can be reached. */
  timeoutMs?: number
  /** Ends the wait, not the job. */
  signal?: AbortSignal
}

export type Jobs = {
  /** The connection, made and subscribed to job results when first asked for. */
  connect(): Promise<Bus>
  /**
   * Calls a method of the manager that begins a job, and answers its result: `done`, `failed`, `dependency`, …, or
   * `lost` when systemd forgot about the job without telling. Throws BusError, HOST_LACKS when the bus is gone.
   */
  run(member: string, signature: string, body: unknown[], wait: JobWait): Promise<string>
  close(): void
}

/** A job whose end was missed, because systemd came back to the bus just then, is found by asking for it. */
const ASK_EVERY_MS = 2_000
/** How long systemd may be away from the bus: `daemon-reexec` takes a second or two. */
const AWAY_LIMIT_MS = 30_000
/** What the bus answers in the place of a systemd that has left it for a moment. */
const AWAY = [
  'org.freedesktop.DBus.Error.NoReply',
  'org.freedesktop.DBus.Error.ServiceUnknown',
  'org.freedesktop.DBus.Error.NameHasNoOwner',
]

/** Jobs over a bus that is connected when first needed. */
export function openJobs(clock: Clock, connect: () => Promise<Bus>): Jobs {
  let connected: Promise<Bus> | undefined
  let bus: Bus | undefined

  async function connectAndSubscribe(): Promise<Bus> {
    bus = await connect()
    // Without Subscribe systemd sends no JobRemoved to us; without the match the bus does not deliver it.
    const subscribed = bus.call({ ...MANAGER, member: 'Subscribe' })
    const matched = bus.call({
      destination: 'org.freedesktop.DBus',
      path: '/org/freedesktop/DBus',
      interface: 'org.freedesktop.DBus',
      member: 'AddMatch',
      signature: 's',
      body: [`type='signal',sender='${PEER.destination}',interface='${MANAGER.interface}',member='JobRemoved'`],
    })
    await Promise.all([subscribed, matched]).catch(error => {
      throw error instanceof BusError ? systemdRefuses(error) : error
    })
    return bus
  }
  const connection = (): Promise<Bus> => {
    connected ??= connectAndSubscribe()
    return connected
  }

  return {
    connect: connection,
    async run(member, signature, body, { timeoutMs, signal }) {
      const on = await connection()
      const over = new AbortController()
      const results = new Map<string, string>()
      let awaited: { job: string; settle: (result: string) => void } | undefined
      const stop = on.listen(each => {
        const removed = jobRemoved(each)
        if (removed === undefined) return
        if (awaited?.job === removed.job) awaited.settle(removed.result)
        else results.set(removed.job, removed.result)
      })
      try {
        // The result may arrive before the reply does.
        const path = String((await on.call({ ...MANAGER, member, signature, body }))[0])
        const known = results.get(path)
        if (known !== undefined) return known
        const told = new Promise<string>(settle => {
          awaited = { job: path, settle }
        })
        const waits = [told, untilForgotten(on, clock, path, over.signal)]
        if (timeoutMs !== undefined) waits.push(lateAfter(clock, timeoutMs, over.signal))
        if (signal !== undefined) waits.push(aborted(signal, over.signal))
        return await Promise.race(waits)
      } finally {
        over.abort()
        stop()
      }
    },
    close: () => bus?.close(),
  }
}

const never = (): Promise<never> => new Promise(() => undefined)

const lateAfter = (clock: Clock, ms: number, over: AbortSignal): Promise<string> =>
  clock.sleep(ms, over).then(() => 'no answer in time', never)

function aborted(signal: AbortSignal, over: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: over })
  })
}

/** Asks for the job now and then until there is none: no wait is for ever, whatever becomes of signals and of the bus. */
async function untilForgotten(bus: Bus, clock: Clock, job: string, over: AbortSignal): Promise<string> {
  let awaySinceMs: number | undefined
  for (;;) {
    await clock.sleep(ASK_EVERY_MS, over).catch(never)
    try {
      await bus.call({
        destination: PEER.destination,
        path: job,
        interface: 'org.freedesktop.DBus.Properties',
        member: 'Get',
        signature: 'ss',
        body: ['org.freedesktop.systemd1.Job', 'State'],
      })
      awaySinceMs = undefined
    } catch (error) {
      if (over.aborted) return never()
      if (!(error instanceof BusError)) throw error
      const nowMs = clock.monotonicMs()
      if (!AWAY.includes(error.type)) {
        // Its signal may be on the way.
        await clock.sleep(ASK_EVERY_MS, over).catch(never)
        return 'lost'
      }
      awaySinceMs ??= nowMs
      if (nowMs - awaySinceMs > AWAY_LIMIT_MS) throw systemdAway(error)
    }
  }
}

/** Job path and result of a JobRemoved signal, undefined for every other one. */
function jobRemoved(signal: Signal): { job: string; result: string } | undefined {
  if (signal.member !== 'JobRemoved' || signal.interface !== MANAGER.interface) return undefined
  const [, job, , result] = signal.body
  return { job: String(job), result: String(result) }
}

const systemdRefuses = (cause: BusError): TspodError =>
  new TspodError('HOST_LACKS', `systemd cannot be talked to over D-Bus: ${cause.message}`, {
    remedy: 'see whether it runs: systemctl is-system-running',
    cause,
  })

const systemdAway = (cause: Error): TspodError =>
  new TspodError('HOST_LACKS', `systemd has not been on the bus for ${AWAY_LIMIT_MS / 1000} s: ${cause.message}`, {
    remedy: 'see whether it runs: systemctl is-system-running',
    cause,
  })
