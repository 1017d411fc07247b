/**
 * The door to AF_UNIX SOCK_SEQPACKET, which Node has no socket for: packet.c makes the system calls
 * (docs/adr/0005-packets.md). Packets are received when asked for and not before, so that a slow reader makes the
 * sender wait and nothing piles up here.
 */
import { closeSync, constants as fsConstants, openSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants as osConstants } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Clock } from './clock.ts'
import { systemError, TspodError } from './errors.ts'

type Handle = { readonly packetSocket: unique symbol }

/** packet.c: a negative answer is an errno. */
type Addon = {
  connect(path: string, onReady: () => void): Handle | number
  listen(path: string, onReady: () => void): Handle | number
  watch(handle: Handle, events: number): number
  send(handle: Handle, bytes: Uint8Array): number
  receive(handle: Handle, bytes: Uint8Array): number
  finish(handle: Handle): number
  close(handle: Handle): number
}

export type PacketSocket = {
  /** The next packet; undefined once the other side has closed, or `close` was called. One call at a time. */
  receive(): Promise<Buffer | undefined>
  /** Sends `bytes` as packets of at most 16 KiB; false when nobody takes them any more. One call at a time. */
  send(bytes: Uint8Array): Promise<boolean>
  /** Tells the other side that no more will be sent. */
  finish(): void
  /** Ends it at once; whoever waits is told the end. Idempotent. */
  close(): void
}

/** libuv's UV_READABLE and UV_WRITABLE. */
const READABLE = 1
const WRITABLE = 2
/** conmon sends 8 KiB and a byte at most, and reads up to 32 KiB at once: what is longer would be cut. */
const RECEIVE_BYTES = 64 * 1024
const SEND_BYTES = 16 * 1024
const BACKLOG_POLL_MS = 20
const CONNECT_TIMEOUT_MS = 10_000
const O_PATH = 0o10000000
const { EAGAIN } = osConstants.errno

/** Beside the bundle when this is the bundle; a checkout's tests take the one that `make build` put there. */
const ADDON = join(import.meta.dirname, '../dist/packet.node')

/**
 * Connects to the socket at `path`, of any length. Throws the system's ENOENT or ECONNREFUSED when nobody listens,
 * COMMAND_TIMEOUT when the listener takes nobody for ten seconds.
 */
export async function connectPackets(path: string, clock: Clock): Promise<PacketSocket> {
  const addon = createRequire(import.meta.url)(ADDON) as Addon
  const state = { handle: undefined as Handle | undefined, onReady: (): void => undefined }
  // An address holds 107 bytes: a longer path is reached through its directory.
  const directory = openSync(dirname(path), O_PATH | fsConstants.O_DIRECTORY)
  try {
    const short = `/proc/self/fd/${directory}/${basename(path)}`
    const deadlineMs = clock.monotonicMs() + CONNECT_TIMEOUT_MS
    for (;;) {
      const answer = addon.connect(short, () => state.onReady())
      if (typeof answer !== 'number') return socketOver(addon, answer, state)
      if (-answer !== EAGAIN) throw systemError('connect', -answer, path)
      if (clock.monotonicMs() > deadlineMs) throw nobodyAnswers(path)
      await clock.sleep(BACKLOG_POLL_MS)
    }
  } finally {
    closeSync(directory)
  }
}

/** Messages that reach a socket of ours. */
export type DatagramSocket = {
  /** The next message, what goes beyond 64 KiB of it cut off; undefined after `close`. One call at a time. */
  receive(): Promise<Buffer | undefined>
  /** Ends it at once, and its file with it. Idempotent. */
  close(): void
}

/**
 * Listens for datagrams at `path`, whatever was there before; descriptors that come with one are closed. Only who may
 * write to the file can send any: its mode is what the umask leaves. Throws the system's ENAMETOOLONG, ENOENT.
 */
export function listenDatagrams(path: string): DatagramSocket {
  const addon = createRequire(import.meta.url)(ADDON) as Addon
  const state = { onReady: (): void => undefined }
  rmSync(path, { force: true })
  const answer = addon.listen(path, () => state.onReady())
  if (typeof answer === 'number') throw systemError('bind', -answer, path)
  const socket = socketOver(addon, answer, state, { datagrams: true })
  return {
    receive: socket.receive,
    close: () => {
      socket.close()
      rmSync(path, { force: true })
    },
  }
}

type Ready = { onReady: () => void }

function socketOver(addon: Addon, handle: Handle, ready: Ready, { datagrams = false } = {}): PacketSocket {
  let closed = false
  // What waits for the socket, per direction: called when it is worth another try.
  const waiting: { read?: (() => void) | undefined; write?: (() => void) | undefined } = {}
  const watch = (): void => {
    const events = (waiting.read ? READABLE : 0) | (waiting.write ? WRITABLE : 0)
    if (!closed) addon.watch(handle, events)
  }
  const wake = (): void => {
    const { read, write } = waiting
    waiting.read = undefined
    waiting.write = undefined
    read?.()
    write?.()
  }
  ready.onReady = wake
  const readiness = (direction: 'read' | 'write'): Promise<void> =>
    new Promise(resolve => {
      waiting[direction] = resolve
      watch()
    })
  const buffer = Buffer.allocUnsafe(RECEIVE_BYTES)
  const sendOne = async (packet: Uint8Array): Promise<boolean> => {
    while (!closed) {
      const sent = addon.send(handle, packet)
      if (sent >= 0) return true
      // Whatever else is wrong with it (EPIPE, ECONNRESET), nobody reads there any more.
      if (-sent !== EAGAIN) return false
      await readiness('write')
    }
    return false
  }
  return {
    async receive() {
      while (!closed) {
        const length = addon.receive(handle, buffer)
        if (length > RECEIVE_BYTES && !datagrams) throw new Error(`a packet of ${length} bytes does not fit`)
        // Nothing at all is a message as well where there is no other side that could have closed.
        if (length > 0 || (datagrams && length === 0))
          return Buffer.from(buffer.subarray(0, Math.min(length, RECEIVE_BYTES)))
        if (-length !== EAGAIN) return undefined
        await readiness('read')
      }
      return undefined
    },
    async send(bytes) {
      // An empty packet would be read as the end.
      for (let from = 0; from < bytes.length; from += SEND_BYTES) {
        if (!(await sendOne(bytes.subarray(from, from + SEND_BYTES)))) return false
      }
      return true
    },
    finish: () => {
      if (!closed) addon.finish(handle)
    },
    close: () => {
      if (closed) return
      closed = true
      addon.close(handle)
      wake()
    },
  }
}

const nobodyAnswers = (path: string): TspodError =>
  new TspodError('COMMAND_TIMEOUT', `nobody took the connection to ${path} within ${CONNECT_TIMEOUT_MS / 1000} s`, {
    remedy: 'the monitor of this container (conmon) hangs: see ps, and end what is attached to it',
  })
