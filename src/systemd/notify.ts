/**
 * The door to sd_notify(3): what the service manager that started this process is told. Loaded only where it set
 * NOTIFY_SOCKET. What stands for readiness is one datagram of exactly two lines, as Podman sends it; everything else,
 * STATUS above all, goes in datagrams of its own, so that no listener has to look for it among other things.
 */
import { Socket } from 'node:net'
import { type Clock, kernelMicroseconds } from '../clock.ts'
import { sendBarrier } from '../syscalls.ts'

export type Notifier = {
  /** The service is up, and `mainPid` stands for it from now on. */
  ready(mainPid: number): void
  /** What people see in `systemctl status`, in one line. */
  status(text: string): void
  /** The service is going down. */
  stopping(): void
  /** The service is about to become what its manifest says now; `ready` or `unchanged` ends that. */
  reloading(): void
  /** Reloading has come to nothing: the service is what it was. */
  unchanged(): void
  /** The service needs this much more time, whatever its unit allows. */
  extend(ms: number): void
  /** Waits until the manager has read all of it: of a sender that is gone it may not know which unit it was in. */
  settled(): Promise<void>
}

/** A manager that does not read for this long is not waited for any longer: sd_notify_barrier(3)'s usual time-out. */
const BARRIER_TIMEOUT_MS = 5_000
/** What `systemctl status` shows is a line, not a page. */
const MAX_STATUS_LENGTH = 500

/** Opens the door to the listener at `socket`, which is what NOTIFY_SOCKET says. */
export async function openNotifier(socket: string, clock: Clock): Promise<Notifier> {
  const { default: sdNotify } = await import('sd-notify')
  let unread = false
  const tell = (...lines: string[]): void => {
    unread = true
    sdNotify.sendState(lines.join('\n'))
  }
  let shown: string | undefined
  return {
    ready: mainPid => tell(`MAINPID=${mainPid}`, 'READY=1'),
    status: text => {
      const line = oneLine(text)
      if (line !== shown) tell(`STATUS=${line}`)
      shown = line
    },
    stopping: () => tell('STOPPING=1'),
    reloading: () => tell('RELOADING=1', `MONOTONIC_USEC=${kernelMicroseconds()}`),
    unchanged: () => tell('READY=1'),
    extend: ms => tell(`EXTEND_TIMEOUT_USEC=${Math.round(ms) * 1000}`),
    settled: async () => {
      if (unread) await passed(socket, clock)
      unread = false
    },
  }
}

/** A line break would begin another message; other control characters have no place on a terminal. */
export const oneLine = (text: string): string => {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
  return line.length > MAX_STATUS_LENGTH ? `${line.slice(0, MAX_STATUS_LENGTH - 1)}…` : line
}

/** The end of a pipe that the listener has with the barrier comes once it has read everything before. */
async function passed(socket: string, clock: Clock): Promise<void> {
  const fd = sendBarrier(socket)
  if (fd === undefined) return
  const pipe = new Socket({ fd, readable: true, writable: false })
  const pause = new AbortController()
  const late = clock.sleep(BARRIER_TIMEOUT_MS, pause.signal).catch(() => undefined)
  const read = new Promise<void>(resolve => {
    for (const event of ['end', 'error', 'close']) pipe.once(event, () => resolve())
    pipe.resume()
  })
  await Promise.race([read, late])
  pause.abort()
  pipe.destroy()
}
