/** `tspod network …`: made, joined, listed, removed. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { Place } from '../../support/place.ts'
import { podText, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(async () => {
  await takeDownAll(cell)
  await tspod(cell, ['network', 'rm', '-f', 'backend', 'front'])
})
afterAll(() => cell?.remove())

const play = (name: string, ...flags: string[]) =>
  succeeds(cell, ['kube', 'play', ...flags, '-'], { input: podText(name) })

test('pods join a network that was made, find each other in it, and others do not', async () => {
  expect(await succeeds(cell, ['network', 'create', 'backend'])).toBe('backend\n')
  await play('one', '--network', 'backend')
  await play('two', '--network', 'backend')
  await play('other')
  const lookUp = (from: string, name: string) => tspod(cell, ['exec', `${from}-c1`, 'nslookup', name])
  expect(await lookUp('one', 'two')).toMatchObject({ exitCode: 0 })
  expect((await lookUp('other', 'two')).exitCode).not.toBe(0)
  const [record] = JSON.parse(await succeeds(cell, ['network', 'inspect', 'backend'])) as { subnets: object[] }[]
  expect(record).toMatchObject({ name: 'backend', driver: 'bridge', dns_enabled: true, pods: ['one', 'two'] })
  const [ip] = JSON.parse(await succeeds(cell, ['pod', 'ps', '--filter', 'name=one', '--format', 'json'])) as {
    ips: string[]
  }[]
  const subnet = (await succeeds(cell, ['network', 'inspect', '-f', '{{(index .Subnets 0).Subnet}}', 'backend'])).trim()
  expect(subnet).toMatch(/^10\.92\.0\.0\/24$/)
  expect(ip?.ips[0]).toMatch(/^10\.92\.0\.\d+$/)
  expect(await succeeds(cell, ['network', 'ls'])).toMatch(
    /^NAME +SUBNETS +BRIDGE +PODS\nbackend +10\.92\.0\.0\/24 +tspod1 +one,two\ntspod +10\.91\.0\.0\/16 +tspod0 +other\n$/,
  )
  const refused = await tspod(cell, ['network', 'rm', 'backend', 'none'])
  expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('is being used by pod one, two')])
  expect((await tspod(cell, ['network', 'rm', 'tspod'])).exitCode).toBe(2)
  expect(await succeeds(cell, ['network', 'rm', '-f', 'backend'])).toBe('backend\n')
  expect((await tspod(cell, ['network', 'exists', 'backend'])).exitCode).toBe(1)
  expect((await succeeds(cell, ['pod', 'ps', '--format', '{{.Name}}'])).trim()).toBe('other')
  expect((await cell.sh('ls /etc/tspod/networks; ip -br link show type bridge | cut -d" " -f1')).stdout).toBe(
    'tspod0\n',
  )
}, 90_000)

test('what is said of it is what it gets; each has a subnet and a bridge of its own', async () => {
  const flags = ['--subnet', '10.200.7.0/24', '--gateway', '10.200.7.9', '--ip-range', '10.200.7.128/25', '--internal']
  await succeeds(cell, ['network', 'create', ...flags, '--disable-dns', '-o', 'mtu=1400', '--ipv6', 'backend'])
  await succeeds(cell, ['network', 'create', 'front'])
  const [backend, front] = JSON.parse(await succeeds(cell, ['network', 'inspect', 'backend', 'front'])) as object[]
  expect(backend).toMatchObject({
    network_interface: 'tspod1',
    internal: true,
    dns_enabled: false,
    ipv6_enabled: true,
    options: { mtu: '1400' },
    subnets: [
      {
        subnet: '10.200.7.0/24',
        gateway: '10.200.7.9',
        lease_range: { start_ip: '10.200.7.129', end_ip: '10.200.7.254' },
      },
      { subnet: expect.stringMatching(/^fd.*::\/64$/) },
    ],
  })
  expect(front).toMatchObject({ network_interface: 'tspod2', subnets: [{ subnet: '10.92.0.0/24' }] })
  await play('one', '--network', 'backend')
  const inside = await succeeds(cell, [
    'exec',
    'one-c1',
    'sh',
    '-c',
    'ip -o addr show eth0; cat /sys/class/net/eth0/mtu',
  ])
  expect(inside).toMatch(/inet 10\.200\.7\.1(29|[3-9]\d)\/24.*inet6 fd.*\n1400\n$/s)
  const taken = await tspod(cell, ['network', 'create', '--subnet', '10.200.7.128/25', 'other'])
  expect([taken.exitCode, taken.stderr]).toEqual([125, expect.stringContaining('already used on the host')])
  expect((await tspod(cell, ['network', 'create', 'front'])).exitCode).toBe(125)
  expect(await succeeds(cell, ['network', 'create', '--ignore', 'front'])).toBe('front\n')
  for (const wrong of [
    ['--subnet', 'x'],
    ['--gateway', '10.1.1.1'],
    ['--subnet', '10.9.0.0/24', '--gateway', '10.8.0.1'],
    ['-o', 'x'],
  ])
    expect(await tspod(cell, ['network', 'create', ...wrong, 'other'])).toMatchObject({ exitCode: 125, stdout: '' })
}, 90_000)

type Made = { subnets: { subnet: string }[]; network_interface: string }

test('several commands at once choose different subnets', async () => {
  const names = ['n1', 'n2', 'n3', 'n4']
  await Promise.all(names.map(name => succeeds(cell, ['network', 'create', name])))
  const made = JSON.parse(await succeeds(cell, ['network', 'inspect', ...names])) as Made[]
  expect(new Set(made.map(({ subnets }) => subnets[0]?.subnet)).size).toBe(names.length)
  expect(new Set(made.map(({ network_interface }) => network_interface)).size).toBe(names.length)
  expect(await succeeds(cell, ['network', 'rm', ...names])).toBe('n1\nn2\nn3\nn4\n')
}, 60_000)
