/** Host ports that cannot be published, because somebody listens on them already. */
import { createServer } from 'node:net'
import type { Protocol } from '../model.ts'

export type HostPort = { hostIp: string; hostPort: number; protocol: Protocol }

/**
 * Returns those of `ports` that are in use on this host, by binding each for a moment. Forwarded ports of other pods
 * are not seen: their listeners are firewall rules, and the engine's leases know them. SCTP cannot be tried from here.
 */
export async function portsTaken(ports: readonly HostPort[]): Promise<HostPort[]> {
  const taken: HostPort[] = []
  // One by one: two addresses of one port would be in each other's way.
  for (const port of ports) if (await isTaken(port)) taken.push(port)
  return taken
}

function isTaken(port: HostPort): Promise<boolean> {
  if (port.protocol === 'tcp') return isTcpTaken(port)
  return port.protocol === 'udp' ? isUdpTaken(port) : Promise.resolve(false)
}

/** Other failures, such as an address this host does not have, are netavark's to report. */
const inUse = (error: NodeJS.ErrnoException): boolean => error.code === 'EADDRINUSE'

function isTcpTaken({ hostIp, hostPort }: HostPort): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(inUse(error)))
    server.listen({ port: hostPort, host: hostIp || '0.0.0.0', exclusive: true }, () =>
      server.close(() => resolve(false)),
    )
  })
}

async function isUdpTaken({ hostIp, hostPort }: HostPort): Promise<boolean> {
  // Most pods publish no such port.
  const { createSocket } = await import('node:dgram')
  return new Promise(resolve => {
    const socket = createSocket(hostIp.includes(':') ? 'udp6' : 'udp4')
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(inUse(error)))
    socket.bind({ port: hostPort, address: hostIp || '0.0.0.0', exclusive: true }, () =>
      socket.close(() => resolve(false)),
    )
  })
}
