/**
 * The door to D-Bus: calls and signals of the system bus, and the only place that knows the client library.
 * It is loaded and connected when first needed. No file descriptor is ever passed over it.
 */
import type { EventEmitter } from 'node:events'
import type { Message } from 'dbus-next'
import type { Clock } from '../clock.ts'
import { TspodError } from '../errors.ts'

export type Call = {
  destination: string
  path: string
  interface: string
  member: string
  /** D-Bus signature of `body`. */
  signature?: string
  body?: unknown[]
}

export type Signal = { path: string; interface: string; member: string; body: unknown[] }

export type Bus = {
  /** The reply's values. Throws BusError with the D-Bus error name, or HOST_LACKS when the bus is gone or silent. */
  call(call: Call): Promise<unknown[]>
  /** Calls `listener` for each signal that reaches this connection; returns how to stop. */
  listen(listener: (signal: Signal) => void): () => void
  /** A value of a given D-Bus type, for properties. */
  variant(signature: string, value: unknown): unknown
  /** Ends the connection, so that the process can end. */
  close(): void
}

/** An error a peer on the bus answered with. */
export class BusError extends Error {
  override readonly name = 'BusError'
  /** For example `org.freedesktop.systemd1.UnitExists`. */
  readonly type: string

  constructor(type: string, text: string) {
    super(text)
    this.type = type
  }
}

const SYSTEM_BUS_SOCKET = '/run/dbus/system_bus_socket'
/** Where dbus-user-session has the bus of a user; the folder is the user's own. */
export const userBusSocket = (uid: number): string => `/run/user/${uid}/bus`
/** systemd answers within milliseconds; a bus that does not is broken, and a pod must not wait for it for ever. */
const CALL_TIMEOUT_MS = 25_000

/**
 * Connects to the bus at a socket. The address is fixed, not taken from the environment: tspod runs as root.
 * Throws HOST_LACKS when nobody listens there.
 */
export async function openBus(clock: Clock, socket: string = SYSTEM_BUS_SOCKET): Promise<Bus> {
  const { default: dbus } = await import('dbus-next')
  // `unix:socket=` makes the library use node:net; `unix:path=` would load its native part, which we do not need.
  const bus = dbus.sessionBus({ busAddress: `unix:socket=${socket}` })
  let fail: (error: Error) => void
  const broken = new Promise<never>((_, reject) => {
    fail = reject
  })
  // Also rejects when nobody is waiting just then: that must not end the process.
  broken.catch(() => undefined)
  bus.on('error', cause => fail(busUnusable(socket, cause instanceof Error ? cause.message : String(cause), cause)))
  // The library does not pass on that the other end hung up: a call would wait for its reply in vain.
  const { _connection: connection } = bus as unknown as { _connection: EventEmitter }
  connection.on('end', () => fail(busUnusable(socket, 'the connection was closed')))
  // Nor does it catch what it throws when its Hello is refused: that answer must not reach it.
  let greeted = false
  connection.prependListener('message', (message: Message) => {
    if (greeted || message.type !== dbus.MessageType.ERROR) return
    fail(busUnusable(socket, `it refuses: ${message.body.join(' ') || message.errorName}`))
    message.type = dbus.MessageType.SIGNAL
  })

  async function within<T>(work: Promise<T>, what: string): Promise<T> {
    const pause = new AbortController()
    const late = clock.sleep(CALL_TIMEOUT_MS, pause.signal).then(
      () => Promise.reject(busUnusable(socket, `${what} got no answer within ${CALL_TIMEOUT_MS / 1000} s`)),
      () => new Promise<never>(() => undefined),
    )
    try {
      return await Promise.race([work, broken, late])
    } finally {
      pause.abort()
    }
  }

  // One listener of the library's for any number of ours: it warns of a leak when many pods wait for their scopes.
  const listeners = new Set<(signal: Signal) => void>()
  bus.on('message', (message: Message) => {
    if (message.type !== dbus.MessageType.SIGNAL) return
    const { path, interface: name, member, body } = message
    for (const listener of [...listeners]) listener({ path, interface: name, member, body })
  })

  const close = (): void => bus.disconnect()
  try {
    await within(new Promise<void>(resolve => bus.on('connect', () => resolve())), 'Hello')
    greeted = true
  } catch (error) {
    close()
    throw error
  }
  return {
    call: async call => {
      const message = new dbus.Message({ ...call, signature: call.signature ?? '', body: call.body ?? [] })
      try {
        return (await within(bus.call(message), call.member))?.body ?? []
      } catch (error) {
        if (error instanceof dbus.DBusError) throw new BusError(error.type, error.text)
        throw error
      }
    },
    listen: listener => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    variant: (signature, value) => new dbus.Variant(signature, value),
    close,
  }
}

const busUnusable = (socket: string, why: string, cause?: unknown): TspodError =>
  new TspodError('HOST_LACKS', `systemd cannot be reached over D-Bus (${socket}): ${why}`, {
    remedy: socket.startsWith('/run/user/')
      ? 'log in as that user, or have its services run without a login: loginctl enable-linger USER'
      : 'start D-Bus (systemctl start dbus.socket), or install it (apt install dbus)',
    cause,
  })
