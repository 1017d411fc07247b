import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { expect, test } from '@jest/globals'
import { type HostPort, portsTaken } from '../../../src/oci/ports.ts'
import { freePort } from '../../support/registry.ts'

const port = (hostPort: number, change: Partial<HostPort> = {}): HostPort => ({
  hostPort,
  hostIp: '',
  protocol: 'tcp',
  ...change,
})

test('a port that somebody listens on is taken, for its protocol and address only', async () => {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port: busy } = server.address() as { port: number }
  const taken = [port(busy), port(busy, { hostIp: '127.0.0.1' })]
  const free = [
    port(busy, { protocol: 'udp' }),
    port(busy, { hostIp: '127.0.0.2' }),
    port(busy, { protocol: 'sctp' }),
    port(await freePort()),
  ]
  expect(await portsTaken([...taken, ...free])).toEqual(taken)
  await new Promise(resolve => server.close(resolve))
  expect(await portsTaken(taken)).toEqual([])
})

test('udp is looked at as udp', async () => {
  const socket = createSocket('udp4')
  await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve))
  const busy = socket.address().port
  expect(await portsTaken([port(busy, { protocol: 'udp' }), port(busy)])).toEqual([port(busy, { protocol: 'udp' })])
  await new Promise<void>(resolve => socket.close(resolve))
})

test('an address that this host does not have is not "in use"', async () => {
  expect(await portsTaken([port(await freePort(), { hostIp: '203.0.113.7' })])).toEqual([])
})
