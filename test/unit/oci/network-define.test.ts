import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatIp, type Ip, inSubnet, parseIp, parseSubnet, type Subnet } from '../../../src/oci/ip.ts'
import {
  defaultNetwork,
  type NetworkDefinition,
  parseDefinition,
  parseRoutes,
} from '../../../src/oci/network-define.ts'
import { addressesFor, netavarkInput, nextAddress } from '../../../src/oci/network-input.ts'

const subnet = (text: string): Subnet => parseSubnet(text) as Subnet
const route = (text: string, networkInterface = 'eth0') => ({ subnet: subnet(text), networkInterface })
const defined = (document: object): NetworkDefinition => parseDefinition('lab', 'lab.json', JSON.stringify(document))
const lab = (subnets: object[]): NetworkDefinition => defined({ network_interface: 'lab0', subnets })

describe('addresses', () => {
  const spellings: Record<string, string> = {
    '10.0.0.1': '10.0.0.1',
    '::': '::',
    '::1': '::1',
    'FE80:0:0:0:0:0:0:1': 'fe80::1',
    '1:0:0:2:0:0:0:3': '1:0:0:2::3',
    '1:2:3:4:5:6:7:8': '1:2:3:4:5:6:7:8',
    '1:0:2:3:4:5:6:7': '1:0:2:3:4:5:6:7',
    'fd00::': 'fd00::',
    '10:0:0:1::': '10:0:0:1::',
  }
  for (const [text, shortest] of Object.entries(spellings)) {
    test(`${text} is ${shortest}`, () => expect(formatIp(parseIp(text) as Ip)).toBe(shortest))
  }

  test('what is written can be read again', () => {
    const bits = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n })
    fc.assert(
      fc.property(bits, fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (value, mask) => {
        const ip: Ip = { family: 6, value: value & mask }
        expect(parseIp(formatIp(ip))).toEqual(ip)
      }),
    )
  })

  for (const text of [
    '',
    '10.0.0',
    '10.0.0.256',
    '010.0.0.1',
    '::ffff:1.2.3.4',
    'fe80::1%eth0',
    '1::2::3',
    '10.0.0.1\n',
  ]) {
    test(`${JSON.stringify(text)} is none`, () => expect(parseIp(text)).toBeUndefined())
  }
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '10.0.0.0/8/8', 'x/8', '::/129']) {
    test(`${text} is no subnet`, () => expect(parseSubnet(text)).toBeUndefined())
  }
})

describe('the default network', () => {
  test('takes the first subnet that no route overlaps; the default route is no obstacle', () => {
    expect(defaultNetwork('tspod0', [route('0.0.0.0/0')]).subnets).toEqual([
      { subnet: '10.91.0.0/16', gateway: '10.91.0.1' },
    ])
    expect(defaultNetwork('tspod0', [route('10.91.3.0/24'), route('10.92.0.0/15')]).subnets[0]?.subnet).toBe(
      '10.94.0.0/16',
    )
    expect(defaultNetwork('tspod0', [route('10.0.0.0/8')]).subnets[0]?.subnet).toBe('172.20.0.0/16')
  })

  test('keeps the subnet of a bridge that is up, whatever else is routed', () => {
    const routes = [route('10.95.0.0/16', 'tspod0'), route('10.91.0.0/16', 'tspod-1234')]
    expect(defaultNetwork('tspod0', routes).subnets[0]?.subnet).toBe('10.95.0.0/16')
  })

  test('of another installation has other names, since netavark names its chains after them', () => {
    const [own, other] = [defaultNetwork('tspod0', []), defaultNetwork('tspod-1234', [])]
    expect(own).toMatchObject({ name: 'tspod', network_interface: 'tspod0' })
    expect(other).toMatchObject({ name: 'tspod-1234', network_interface: 'tspod-1234' })
    expect(other.id).not.toBe(own.id)
  })

  test('says so when nothing is free', () => {
    expect(() => defaultNetwork('tspod0', [route('10.0.0.0/8'), route('172.16.0.0/12')])).toThrow(
      expect.objectContaining({ code: 'NETWORK_FAILED' }),
    )
  })
})

test('routes are read from /proc/net/route', () => {
  const text =
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n' +
    'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n' +
    'tspod0\t00005B0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n'
  expect(parseRoutes(text)).toEqual([route('0.0.0.0/0'), route('10.91.0.0/16', 'tspod0')])
})

describe('the definition of a network', () => {
  test('may come from podman network inspect', () => {
    expect(
      defined([
        {
          name: 'lab',
          driver: 'bridge',
          network_interface: 'lab0',
          subnets: [{ subnet: '10.5.0.9/24' }],
          dns_enabled: true,
          created: 'x',
        },
      ] as object),
    ).toMatchObject({
      name: 'lab',
      subnets: [{ subnet: '10.5.0.0/24', gateway: '10.5.0.1' }],
      dns_enabled: true,
      internal: false,
    })
  })

  const subnets = [{ subnet: '10.5.0.0/24' }]
  const bad: Record<string, object> = {
    'another name': { name: 'x', network_interface: 'lab0', subnets },
    'another driver': { driver: 'macvlan', network_interface: 'lab0', subnets },
    'no interface': { subnets },
    'an interface that is a path': { network_interface: '../x', subnets },
    'an interface that is too long': { network_interface: 'x'.repeat(16), subnets },
    'no subnet': { network_interface: 'lab0' },
    'a subnet that is none': { network_interface: 'lab0', subnets: [{ subnet: '10.5.0.0' }] },
    'a gateway elsewhere': { network_interface: 'lab0', subnets: [{ subnet: '10.5.0.0/24', gateway: '10.6.0.1' }] },
    'a lease range elsewhere': {
      network_interface: 'lab0',
      subnets: [{ subnet: '10.5.0.0/24', lease_range: { start_ip: '10.6.0.1' } }],
    },
    'text for a truth value': { network_interface: 'lab0', subnets, internal: 'yes' },
    'options that are no strings': { network_interface: 'lab0', subnets, options: { mtu: 1 } },
  }
  for (const [what, document] of Object.entries(bad)) {
    test(`${what} is refused, naming the file`, () => {
      expect(() => defined(document)).toThrow(
        expect.objectContaining({ code: 'NETWORK_FAILED', message: expect.stringMatching(/^lab\.json: /) }),
      )
    })
  }
})

describe('the next address', () => {
  const small = lab([{ subnet: '10.5.0.0/29' }])

  test('is the lowest free one; base, gateway and broadcast are never given', () => {
    const taken = new Set<string>()
    for (const expected of ['10.5.0.2', '10.5.0.3', '10.5.0.4', '10.5.0.5', '10.5.0.6']) {
      const address = nextAddress(small, taken)
      expect(address).toBe(expected)
      taken.add(address)
    }
    expect(() => nextAddress(small, taken)).toThrow(expect.objectContaining({ code: 'NO_FREE_ADDRESS' }))
  })

  test('fills the gap that a removed pod leaves', () => {
    expect(nextAddress(small, new Set(['10.5.0.2', '10.5.0.4']))).toBe('10.5.0.3')
  })

  test('keeps to the lease range', () => {
    const ranged = lab([{ subnet: '10.5.0.0/24', lease_range: { start_ip: '10.5.0.100', end_ip: '10.5.0.101' } }])
    expect(nextAddress(ranged, new Set())).toBe('10.5.0.100')
    expect(() => nextAddress(ranged, new Set(['10.5.0.100', '10.5.0.101']))).toThrow(
      expect.objectContaining({ code: 'NO_FREE_ADDRESS' }),
    )
  })

  test('is the one wanted, or an error that says why not', () => {
    expect(nextAddress(small, new Set(), '10.5.0.5')).toBe('10.5.0.5')
    for (const wanted of ['10.5.0.0', '10.5.0.1', '10.5.0.7', '10.6.0.2', 'fd00::5', 'nonsense', '']) {
      expect(() => nextAddress(small, new Set(), wanted)).toThrow(expect.objectContaining({ code: 'NO_FREE_ADDRESS' }))
    }
    expect(() => nextAddress(small, new Set(['10.5.0.5']), '10.5.0.5')).toThrow(/taken/)
  })

  test('is always in the subnet and never taken', () => {
    const offsets = fc.uniqueArray(fc.integer({ min: 0, max: 15 }))
    fc.assert(
      fc.property(offsets, given => {
        const taken = new Set(given.map(n => `10.5.0.${n}`))
        const network = lab([{ subnet: '10.5.0.0/24' }])
        const address = nextAddress(network, taken)
        expect(taken.has(address)).toBe(false)
        expect(inSubnet(parseIp(address) as Ip, subnet('10.5.0.0/24'))).toBe(true)
      }),
    )
  })

  test('brings one in each further subnet along', () => {
    const dual = lab([{ subnet: '10.5.0.0/24' }, { subnet: 'fd00:5::/64' }])
    expect(dual.ipv6_enabled).toBe(true)
    expect(addressesFor(dual, '10.5.0.17')).toEqual(['10.5.0.17', 'fd00:5::11'])
  })
})

test('the input of netavark names the pod, its addresses, aliases and published ports', () => {
  const network = lab([{ subnet: '10.5.0.0/24' }])
  const ports = [
    { containerPort: 80, hostPort: 8080, hostIp: '', protocol: 'tcp' as const },
    { containerPort: 53, hostPort: 53, hostIp: '0.0.0.0', protocol: 'udp' as const },
    { containerPort: 9, hostPort: 9, hostIp: '127.0.0.1', protocol: 'sctp' as const },
    { containerPort: 90, hostIp: '', protocol: 'tcp' as const },
  ]
  const attachment = { definition: network, address: '10.5.0.2', mac: '02:00:00:00:00:01', aliases: ['web', 'pod'] }
  expect(netavarkInput({ id: 'abc', name: 'pod' }, [attachment], ports, ['10.0.0.53'])).toEqual({
    container_id: 'abc',
    container_name: 'pod',
    networks: {
      lab: {
        static_ips: ['10.5.0.2'],
        static_mac: '02:00:00:00:00:01',
        interface_name: 'eth0',
        aliases: ['pod', 'web'],
      },
    },
    network_info: { lab: network },
    port_mappings: [
      { host_ip: '', container_port: 80, host_port: 8080, range: 1, protocol: 'tcp' },
      { host_ip: '', container_port: 53, host_port: 53, range: 1, protocol: 'udp' },
      { host_ip: '127.0.0.1', container_port: 9, host_port: 9, range: 1, protocol: 'sctp' },
    ],
    dns_servers: ['10.0.0.53'],
  })
})

describe('what netavark would refuse, or lines could be made of, is refused before', () => {
  const network = lab([{ subnet: '10.5.0.0/24' }])
  const attachment = { definition: network, address: '10.5.0.2', aliases: [] }
  const port = { containerPort: 80, hostPort: 80, hostIp: '', protocol: 'tcp' as const }
  const refused = expect.objectContaining({ code: 'NETWORK_FAILED' })
  for (const text of ['nonsense', 'a\nb', 'a b', 'a,b', '']) {
    test(JSON.stringify(text), () => {
      const make =
        (change: object, hostIp = '') =>
        () =>
          netavarkInput({ id: 'x', name: 'pod' }, [{ ...attachment, ...change }], [{ ...port, hostIp }])
      if (text !== '') expect(make({}, text)).toThrow(refused)
      expect(make({ mac: text })).toThrow(refused)
      if (text !== 'nonsense') expect(make({ aliases: [text] })).toThrow(refused)
    })
  }
  test('a group address as MAC', () => {
    expect(() => netavarkInput({ id: 'x', name: 'pod' }, [{ ...attachment, mac: '01:00:00:00:00:01' }], [])).toThrow(
      refused,
    )
  })
})
