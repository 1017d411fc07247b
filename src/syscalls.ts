/**
 * The door to the few system calls around systemd that Node has none for: syscalls.c makes them
 * (docs/adr/0009-notify.md). Loaded when first used.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'

/** syscalls.c: a negative answer is an errno. */
type Addon = {
  attribute(path: string, name: string): string | number
}

/** Beside the bundle when this is the bundle; a checkout's tests take the one that `make build` put there. */
const ADDON = join(import.meta.dirname, '../dist/syscalls.node')

const addon = (): Addon => createRequire(import.meta.url)(ADDON) as Addon

/** The extended attribute `name` of a file; undefined where it has none, or there is no such file. */
export function attributeOf(path: string, name: string): string | undefined {
  const value = addon().attribute(path, name)
  return typeof value === 'string' ? value : undefined
}
