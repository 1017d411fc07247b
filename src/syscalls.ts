/**
 * The door to the few system calls, most of them around systemd, that Node has none for: syscalls.c makes them
 * (docs/adr/0009-notify.md, 0018-locks.md). Loaded when first used.
 */
import { createRequire } from 'node:module'
import { constants as osConstants } from 'node:os'
import { join } from 'node:path'
import { systemError } from './errors.ts'

/** syscalls.c: a negative answer is an errno. */
type Addon = {
  barrier(socket: string): number
  tell(socket: string, text: string, pid: number): number
  attribute(path: string, name: string): string | number
  written(fd: number): number
  lock(path: string): number
}

/** Beside the bundle when this is the bundle; a checkout's tests take the one that `make build` put there. */
const ADDON = join(import.meta.dirname, '../dist/syscalls.node')

const addon = (): Addon => createRequire(import.meta.url)(ADDON) as Addon

/**
 * Sends BARRIER=1 with one end of a pipe to a notify socket (a path, or @NAME). Answers the other end, which ends once
 * the listener has read everything before it; undefined when nobody listens, or its queue is full.
 */
export function sendBarrier(socket: string): number | undefined {
  const descriptor = addon().barrier(socket)
  return descriptor < 0 ? undefined : descriptor
}

/**
 * Sends one datagram to a notify socket in the name of the process `pid`, which only root may; false when nobody
 * listens, or its queue is full. It is not waited for anybody.
 */
export const tellFor = (pid: number, socket: string, text: string): boolean => addon().tell(socket, text, pid) >= 0

/** The extended attribute `name` of a file; undefined where it has none, or there is no such file. */
export function attributeOf(path: string, name: string): string | undefined {
  const value = addon().attribute(path, name)
  return typeof value === 'string' ? value : undefined
}

/**
 * True while somebody has the file open for writing that `fd`, opened to be read, belongs to. File systems that cannot
 * tell, such as NFS, say false.
 */
export const isBeingWritten = (fd: number): boolean => addon().written(fd) === 1

/**
 * Makes a file and locks it against everybody; undefined while somebody else has it, or removed it at this moment. The
 * descriptor is the lock: closing it, or the end of this process, gives it back. Throws the system's error.
 */
export function lockFile(path: string): number | undefined {
  const descriptor = addon().lock(path)
  if (descriptor >= 0) return descriptor
  if (descriptor === -osConstants.errno.EAGAIN) return undefined
  throw systemError('lock', -descriptor, path)
}
