import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { PortSpec } from '../../../src/model.ts'
import { isPinned, pinNamespaces, setupNetwork, teardownNetwork, unpinNamespaces } from '../../../src/oci/network.ts'
import { DEFAULT_NETWORK, loadNetwork, type NetworkDefinition } from '../../../src/oci/network-define.ts'
import { networkDoor } from '../../../src/oci/network-door.ts'
import { type NetavarkInput, netavarkInput, nextAddress } from '../../../src/oci/network-input.ts'
import { pathsFor } from '../../../src/paths.ts'
import { run } from '../../../src/process.ts'
import { freePort } from '../../support/registry.ts'

jest.setTimeout(60_000)

/** busybox has no server for UDP. */
const UDP_ECHO =
  'const s = require("node:dgram").createSocket("udp4"); s.on("message", (m, from) => s.send(m, from.port, from.address)); s.bind(7)'

let dir: string
let network: NetworkDefinition
let before: string[]
const children: ChildProcess[] = []
const connected = new Map<string, NetavarkInput>()
const paths = () => pathsFor(join(dir, 'root'), join(dir, 'run'))
const sandbox = (pod: string): string => join(dir, 'pods', pod)
const netns = (pod: string): string => join(sandbox(pod), 'net')

/** What a network leaves on a host: mounts, links, rules, files; of the chains netavark keeps for ever only the name. */
function traces(): string[] {
  const lines = (text: string, wanted: RegExp): string[] => text.split('\n').filter(line => wanted.test(line))
  return [
    ...lines(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(dir)),
    ...readdirSync('/sys/class/net').filter(name => name === network.network_interface),
    ...lines(
      execFileSync('iptables-save', { encoding: 'utf8' }),
      new RegExp(`${subnetStart()}|name: ${network.name} `),
    ),
    ...lines(
      execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
      new RegExp(subnetStart()),
    ),
    ...readdirSync(join(dir, 'run', 'net', 'aardvark-dns')).filter(name => name !== 'aardvark.pid'),
  ]
}

const subnetStart = (): string => (network.subnets[0]?.subnet ?? '').split('.').slice(0, 2).join('\\.')

function inputFor(
  pod: string,
  address: string,
  ports: Partial<PortSpec>[] = [],
  aliases: string[] = [],
): NetavarkInput {
  const full = ports.map(port => ({ containerPort: 80, hostIp: '', protocol: 'tcp' as const, ...port }))
  const input = netavarkInput({ id: pod.padEnd(64, '0'), name: pod }, [{ definition: network, address, aliases }], full)
  connected.set(pod, input)
  return input
}

function inside(pod: string, ...argv: string[]): string {
  return execFileSync('nsenter', [`--net=${netns(pod)}`, '--', ...argv], { encoding: 'utf8' })
}

function serveInside(pod: string, ...argv: string[]): void {
  children.push(spawn('nsenter', [`--net=${netns(pod)}`, '--', ...argv], { stdio: 'ignore' }))
}

async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (tries === 40) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tspod-net-'))
  mkdirSync(join(dir, 'run', 'net', 'aardvark-dns'), { recursive: true })
  mkdirSync(join(dir, 'pods'))
  network = await loadNetwork(paths(), DEFAULT_NETWORK)
})

beforeEach(() => {
  before = traces()
})

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  const left = traces()
  // A failed test must not leave this host with its network.
  for (const [pod, input] of connected) await teardownNetwork(run, paths(), netns(pod), input)
  for (const pod of readdirSync(join(dir, 'pods'))) unpinNamespaces(sandbox(pod))
  connected.clear()
  expect(left).toEqual(before)
})

afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('pinned namespaces', () => {
  test('are new ones, stay without a process, and go without a trace, also twice', async () => {
    const pinned = pinNamespaces(sandbox('pins'), ['net', 'ipc', 'uts'])
    expect(pinned).toEqual({ net: netns('pins'), ipc: join(sandbox('pins'), 'ipc'), uts: join(sandbox('pins'), 'uts') })
    expect(isPinned(netns('pins'))).toBe(true)
    expect(inside('pins', 'cat', '/proc/sys/net/ipv6/conf/default/accept_ra')).toBe('0\n')
    unpinNamespaces(sandbox('pins'))
    unpinNamespaces(sandbox('pins'))
    expect(isPinned(netns('pins'))).toBe(false)
    expect(readdirSync(sandbox('pins'))).toEqual([])
  })

  test('an isolated one has its loopback up and nothing else', async () => {
    pinNamespaces(sandbox('alone'), ['net'], { isolated: true })
    const links = inside('alone', 'ip', '-o', 'link').trim().split('\n')
    expect(links).toHaveLength(1)
    expect(links[0]).toMatch(/lo: <LOOPBACK,UP/)
    unpinNamespaces(sandbox('alone'))
  })

  test('replace what an interrupted attempt left pinned', async () => {
    pinNamespaces(sandbox('again'), ['net'])
    pinNamespaces(sandbox('again'), ['net', 'uts'])
    unpinNamespaces(sandbox('again'))
  })
})

describe('a pod on the default network', () => {
  test('answers on its published ports by tcp and udp, and by its names; the teardown may be repeated', async () => {
    const [tcp, udp] = [await freePort(), await freePort()]
    pinNamespaces(sandbox('web'), ['net', 'uts'])
    pinNamespaces(sandbox('client'), ['net'])
    const address = nextAddress(network, new Set())
    const web = inputFor(
      'web',
      address,
      [{ hostPort: tcp }, { hostPort: udp, containerPort: 7, protocol: 'udp' }],
      ['web-nginx'],
    )
    const client = inputFor('client', nextAddress(network, new Set([address])))
    const status = await setupNetwork(run, paths(), netns('web'), web)
    expect(status.networks).toMatchObject([{ name: network.name, interfaceName: 'eth0', addresses: [address] }])
    expect(status.dnsServers).toEqual([network.subnets[0]?.gateway])
    await setupNetwork(run, paths(), netns('client'), client)

    mkdirSync(join(dir, 'www'), { recursive: true })
    writeFileSync(join(dir, 'www', 'index.html'), 'hello')
    serveInside('web', 'busybox', 'httpd', '-f', '-p', '80', '-h', join(dir, 'www'))
    serveInside('web', process.execPath, '-e', UDP_ECHO)
    const page = await eventually(async () => (await fetch(`http://127.0.0.1:${tcp}/`)).text())
    expect(page).toBe('hello')
    expect(await eventually(() => echo(udp))).toBe('ping')
    expect(inside('client', 'busybox', 'wget', '-q', '-O', '-', `http://${address}/`)).toBe('hello')
    for (const name of ['web', 'web-nginx']) {
      expect(inside('client', 'busybox', 'nslookup', `${name}.dns.podman`, String(status.dnsServers[0]))).toContain(
        address,
      )
    }
    expect(inside('web', 'cat', '/proc/sys/net/ipv6/conf/eth0/accept_ra')).toBe('0\n')

    for (const [pod, input] of Object.entries({ web, client })) {
      await teardownNetwork(run, paths(), netns(pod), input)
      await teardownNetwork(run, paths(), netns(pod), input)
      unpinNamespaces(sandbox(pod))
    }
  })

  test('that cannot be connected leaves nothing behind and says why', async () => {
    pinNamespaces(sandbox('bad'), ['net'])
    inside('bad', 'ip', 'link', 'add', 'eth0', 'type', 'bridge')
    const input = inputFor('bad', nextAddress(network, new Set()), [{ hostPort: await freePort() }])
    await expect(setupNetwork(run, paths(), netns('bad'), input)).rejects.toMatchObject({
      code: 'NETWORK_FAILED',
      message: expect.stringContaining('cannot connect pod bad to network tspod-'),
    })
    unpinNamespaces(sandbox('bad'))
  })

  test('whose namespace is lost is torn down all the same, rules and names included', async () => {
    pinNamespaces(sandbox('lost'), ['net'])
    const input = inputFor('lost', nextAddress(network, new Set()), [{ hostPort: await freePort() }])
    await setupNetwork(run, paths(), netns('lost'), input)
    unpinNamespaces(sandbox('lost'))
    await teardownNetwork(run, paths(), netns('lost'), input)
  })

  test('and nine others come and go at once', async () => {
    const door = networkDoor(run, paths(), work => work())
    const taken = new Set<string>()
    const pods = Array.from({ length: 10 }, (_, n) => {
      const address = nextAddress(network, taken)
      taken.add(address)
      return { name: `many-${n}`, input: inputFor(`many-${n}`, address, n % 2 === 0 ? [{ hostPort: 20_000 + n }] : []) }
    })
    const states = await Promise.all(
      pods.map(async ({ name, input }) => {
        pinNamespaces(sandbox(name), ['net', 'ipc', 'uts'])
        return door.setup(netns(name), input)
      }),
    )
    expect(states.map(state => state.networks[0]?.addresses[0])).toEqual([...taken])
    await Promise.all(
      pods.map(async ({ name, input }) => {
        await door.teardown(netns(name), input)
        unpinNamespaces(sandbox(name))
      }),
    )
  })
})

function echo(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    const timer = setTimeout(() => {
      socket.close()
      reject(new Error('no answer by udp'))
    }, 500)
    socket.once('message', message => {
      clearTimeout(timer)
      socket.close()
      resolve(message.toString())
    })
    socket.send('ping', port, '127.0.0.1')
  })
}
