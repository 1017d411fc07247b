/** `tspod cp`: files into and out of containers. */
import { resolve } from 'node:path'
import type { CopyEnd } from '../engine/index.ts'
import type { FlagTable, Problem } from './flags.ts'
import { printable } from './output.ts'
import { defineVerb, usageError } from './verb.ts'

const FLAGS = {
  archive: {
    kind: 'switch',
    initial: true,
    short: 'a',
    help: 'what is copied into a container belongs to the user it runs as; with --archive=false to whom it belonged',
  },
  overwrite: { kind: 'switch', initial: false, help: 'let directories and other files replace each other' },
  pause: { kind: 'switch', initial: false, hidden: true, help: 'without effect, as in Podman' },
} as const satisfies FlagTable

export const cp = defineVerb({
  operands: '[CONTAINER:]SOURCE|- [CONTAINER:]DESTINATION|-',
  count: { minimum: 2, maximum: 2 },
  description:
    'Copies files and directories between the host and a container, or between two containers, running or not. A ' +
    'directory is copied into one that exists, and otherwise under the name of the destination; SOURCE/. means what ' +
    'is in it. Relative paths of a container begin at its working directory. `-` is a tar archive on standard input ' +
    'or output. Modes, times and symbolic links are kept; set-user-id is kept only inside containers and only for ' +
    'the same owner. FIFOs, sockets and devices are left out, and so are extended attributes.',
  examples: [
    { does: 'A file into a container', line: 'tspod cp nginx.conf web-nginx:/etc/nginx/' },
    { does: 'What is in a directory, out of it', line: 'tspod cp web/nginx:/var/log/. ./logs' },
    { does: 'From one container to another', line: 'tspod cp db-postgres:/dump.sql test-postgres:/tmp' },
    { does: 'Through a pipe', line: 'tspod cp web-nginx:/etc - | tar -t' },
  ],
  flags: FLAGS,
  check({ operands: [from = '', to = ''] }) {
    const problems: Problem[] = [from, to].filter(end => end === '').map(() => ({ message: 'a path is empty' }))
    if (from === '-' && to === '-') problems.push({ message: 'cannot copy from standard input to standard output' })
    const ends = [from, to].map(end => splitEnd(end, '/'))
    if (problems.length === 0 && ends.every(end => end.container === undefined)) {
      problems.push({ message: 'you must specify one container: write CONTAINER:PATH' })
    }
    for (const end of ends) if (end.path === '') problems.push({ message: 'a path is empty' })
    return problems
  },
  async run({ flags, operands: [source = '', destination = ''] }, world) {
    const [from, to] = [splitEnd(source, world.cwd), splitEnd(destination, world.cwd)]
    if (source === '-' && world.stdin().isTTY === true) {
      throw usageError([{ message: 'cannot read an archive from a terminal' }], 'tspod cp')
    }
    if (destination === '-' && world.out.isTerminal) {
      throw usageError([{ message: 'cannot copy to a terminal: redirect standard output' }], 'tspod cp')
    }
    const note = (text: string): void => world.err.write(`warning: ${printable(text)}\n`)
    const { archive, overwrite } = flags
    await (await world.engine()).copy({ from, to, archive, overwrite }, note, world.signal)
    return {}
  },
})

/**
 * An operand as docker cp reads it: what begins with `/` or `.` is a path of the host, and so is what has no colon.
 * The end of a path of the host (`/`, `/.`) is kept, for it means something.
 */
export function splitEnd(operand: string, cwd: string): CopyEnd {
  if (operand === '-') return { path: '-' }
  const colon = operand.indexOf(':')
  if (!/^[/.]/.test(operand) && colon > 0) {
    return { container: operand.slice(0, colon), path: operand.slice(colon + 1) }
  }
  if (operand === '') return { path: '' }
  const end = /(^|\/)\.$/.test(operand) ? '/.' : operand.endsWith('/') ? '/' : ''
  return { path: `${resolve(cwd, operand).replace(/\/$/, '')}${end || ''}` || '/' }
}
