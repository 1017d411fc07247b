/** A TCP probe: whether somebody takes the connection. */
import { connect } from 'node:net'
import type { Finding } from './handle.ts'

/** Connects and hangs up; the signal is its deadline. */
export function probeTcp(host: string, port: number, signal: AbortSignal): Promise<Finding> {
  return new Promise(resolve => {
    const socket = connect({ host, port })
    const end = (finding: Finding): void => {
      socket.destroy()
      resolve(finding)
    }
    socket.once('connect', () => end({ is: 'success', text: '' }))
    socket.once('error', error => end({ is: 'failure', text: dialError(host, port, error) }))
    signal.addEventListener('abort', () => end({ is: 'failure', text: `dial tcp ${host}:${port}: i/o timeout` }), {
      once: true,
    })
  })
}

/** Why a connection did not come about, in the words people know from Kubernetes. */
export function dialError(host: string, port: number, error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  const why = code === undefined ? error.message : (DIAL_ERRORS[code] ?? error.message)
  return `dial tcp ${host}:${port}: ${why}`
}

const DIAL_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ENOTFOUND: 'no such host',
}
