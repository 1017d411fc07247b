/**
 * Random names from the kernel. node:crypto is slow to load (digest.ts), and this and digests are all that most commands
 * would need of it.
 */
import { closeSync, openSync, readSync } from 'node:fs'

/** `bytes` random bytes as hexadecimal digits, from /dev/urandom. */
export function randomHex(bytes: number): string {
  const buffer = Buffer.alloc(bytes)
  const fd = openSync('/dev/urandom', 'r')
  try {
    if (readSync(fd, buffer) !== bytes) throw new Error('/dev/urandom gave too little')
  } finally {
    closeSync(fd)
  }
  return buffer.toString('hex')
}

/** A number from 0 to below 1. */
export const randomFraction = (): number => Number.parseInt(randomHex(4), 16) / 2 ** 32
