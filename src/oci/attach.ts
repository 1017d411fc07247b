/**
 * The sockets conmon keeps in a container's bundle for whoever looks in. `attach`: packets whose first byte says which
 * stream they belong to (2 standard output or the terminal, 3 standard error); what is sent there is standard input.
 * `ctl`: a FIFO for the size of the terminal. As conmon 2.1.6 behaves.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { isMissing } from '../errors.ts'
import { connectPackets, type PacketSocket } from '../packet.ts'
import type { Size } from '../terminal.ts'

export type Console = Pick<PacketSocket, 'send' | 'finish' | 'close'> & {
  /** The next piece of output; undefined when the container has ended or conmon is gone. */
  receive(): Promise<{ stream: 'stdout' | 'stderr'; bytes: Buffer } | undefined>
  /** Gives the container's terminal this size; without effect once conmon is gone. */
  resize(size: Size): void
}

const STDERR_PACKET = 3
/** `1 ROWS COLUMNS` sets the size. */
const RESIZE = 1

/**
 * Connects to a container's conmon; output from now on is received, what was printed before is in the log.
 * Throws the system's ENOENT or ECONNREFUSED when there is no conmon, COMMAND_TIMEOUT when it does not answer.
 */
export async function openConsole(bundle: string, clock: Clock): Promise<Console> {
  const socket = await connectPackets(join(bundle, 'attach'), clock)
  return {
    ...socket,
    async receive() {
      const packet = await socket.receive()
      if (packet === undefined) return undefined
      return { stream: packet[0] === STDERR_PACKET ? 'stderr' : 'stdout', bytes: packet.subarray(1) }
    },
    resize: size => control(bundle, `${RESIZE} ${size.rows} ${size.columns}\n`),
  }
}

/** Without waiting: a FIFO that nobody reads, or that is gone, means that conmon has ended. */
function control(bundle: string, line: string): void {
  try {
    const fd = openSync(join(bundle, 'ctl'), constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
    try {
      writeSync(fd, line)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (!isMissing(error) && !['ENXIO', 'EPIPE', 'EAGAIN'].includes(code)) throw error
  }
}
