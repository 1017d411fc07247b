/**
 * Programs that work on what somebody else has written, and need nothing of this host for it: templates/confine gives
 * them a root of their own, with a copy of the files in it.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from './process.ts'

/** Beside the bundle and beside src alike. */
const SCRIPT = join(import.meta.dirname, '../templates/confine')
const NAMESPACES = ['--mount', '--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child']

/**
 * The argv that runs a program (an absolute path) on the files below DIRECTORY/files, which it sees as /files and may
 * only read. It is user nobody there, without a network. Makes DIRECTORY/root, which is left empty.
 */
export function confined(directory: string, program: string, args: readonly string[]): Command['argv'] {
  mkdirSync(join(directory, 'root'), { recursive: true, mode: 0o700 })
  return ['unshare', ...NAMESPACES, '--', SCRIPT, directory, program, ...args]
}
