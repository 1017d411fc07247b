import { describe, expect, test } from '@jest/globals'
import type { DnsSpec } from '../../../src/model.ts'
import { hostsText, parseResolv, type ResolvFacts, resolvText } from '../../../src/oci/network-files.ts'

const facts = { hostname: 'web', addresses: ['10.91.0.2', 'fd00::2'], network: 'bridge' as const }

describe('/etc/hosts', () => {
  test('has local names, the pod and its aliases', () => {
    const aliases = [{ ip: '10.0.0.1', hostnames: ['db', 'db.example'] }]
    expect(hostsText({ hostAliases: aliases }, facts)).toBe(
      [
        '# Kept by tspod.',
        '127.0.0.1\tlocalhost',
        '::1\tlocalhost ip6-localhost ip6-loopback',
        'fe00::0\tip6-localnet',
        'fe00::0\tip6-mcastprefix',
        'fe00::1\tip6-allnodes',
        'fe00::2\tip6-allrouters',
        '10.91.0.2\tweb',
        'fd00::2\tweb',
        '',
        '# From hostAliases of the pod.',
        '10.0.0.1\tdb\tdb.example',
        '',
      ].join('\n'),
    )
  })

  test("with the host's network is the host's file and the aliases", () => {
    const text = hostsText(
      { hostAliases: [{ ip: '10.0.0.1', hostnames: ['db'] }] },
      { ...facts, addresses: [], network: 'host' },
      '127.0.0.1 localhost myhost\n\n',
    )
    expect(text.split('\n').slice(1)).toEqual([
      '127.0.0.1 localhost myhost',
      '',
      '# From hostAliases of the pod.',
      '10.0.0.1\tdb',
      '',
    ])
  })

  const hostile = ['a\n1.2.3.4 evil', 'a\rb', 'a\0b', 'a b', 'a\tb', '#x', '']
  for (const name of hostile) {
    test(`S14 a name cannot break out of its line: ${JSON.stringify(name)}`, () => {
      const refused = expect.objectContaining({ code: 'SECURITY_REFUSED' })
      expect(() => hostsText({ hostAliases: [{ ip: '10.0.0.1', hostnames: [name] }] }, facts)).toThrow(refused)
      expect(() => hostsText({ hostAliases: [{ ip: name, hostnames: ['x'] }] }, facts)).toThrow(refused)
      expect(() => hostsText({ hostAliases: [] }, { ...facts, hostname: name })).toThrow(refused)
    })
  }
})

describe('/etc/resolv.conf', () => {
  const dns = (change: Partial<DnsSpec> = {}): DnsSpec => ({
    policy: 'cluster',
    nameservers: [],
    searches: [],
    options: [],
    ...change,
  })
  const bridge: ResolvFacts = { servers: ['10.91.0.1'], network: 'bridge' }
  const host = { servers: ['127.0.0.53', '192.0.2.53'], searches: ['example.org'], options: ['edns0', 'ndots:1'] }

  const cases: Record<string, { dns: DnsSpec; facts: ResolvFacts; lines: string[] }> = {
    "cluster: the network's own server, which knows names of Services in full and forwards the rest: no cluster.local, no ndots:5":
      {
        dns: dns(),
        facts: bridge,
        lines: ['search dns.podman example.org', 'nameserver 10.91.0.1', 'options edns0 ndots:1'],
      },
    "cluster without DNS on the network: the host's servers that can be reached": {
      dns: dns(),
      facts: { ...bridge, servers: [] },
      lines: ['search example.org', 'nameserver 192.0.2.53', 'options edns0 ndots:1'],
    },
    "cluster with the host's network: as on the host, the loopback server too": {
      dns: dns(),
      facts: { servers: [], network: 'host' },
      lines: ['search example.org', 'nameserver 127.0.0.53', 'nameserver 192.0.2.53', 'options edns0 ndots:1'],
    },
    'default: no names of pods': {
      dns: dns({ policy: 'default' }),
      facts: bridge,
      lines: ['search example.org', 'nameserver 192.0.2.53', 'options edns0 ndots:1'],
    },
    'none: only what dnsConfig says': {
      dns: dns({
        policy: 'none',
        nameservers: ['1.1.1.1', 'fe80::1%eth0'],
        searches: ['a.example'],
        options: [{ name: 'ndots', value: '5' }, { name: 'rotate' }],
      }),
      facts: bridge,
      lines: ['search a.example', 'nameserver 1.1.1.1', 'nameserver fe80::1%eth0', 'options ndots:5 rotate'],
    },
    'dnsConfig is added, its options win, and three servers are the limit': {
      dns: dns({
        policy: 'default',
        nameservers: ['1.1.1.1', '192.0.2.53', '2.2.2.2', '3.3.3.3'],
        options: [{ name: 'ndots', value: '5' }],
      }),
      facts: bridge,
      lines: [
        'search example.org',
        'nameserver 192.0.2.53',
        'nameserver 1.1.1.1',
        'nameserver 2.2.2.2',
        'options edns0 ndots:5',
      ],
    },
  }
  for (const [name, { dns: spec, facts: given, lines }] of Object.entries(cases)) {
    test(name, () => expect(resolvText(spec, given, host)).toBe(lines.map(line => `${line}\n`).join('')))
  }

  test('searches end at 32 and at 2048 characters', () => {
    const many = Array.from({ length: 40 }, (_, n) => `d${n}`)
    expect(
      resolvText(dns({ policy: 'none', searches: many }), bridge, host)
        .trim()
        .split(' '),
    ).toHaveLength(33)
    const long = Array.from({ length: 20 }, (_, n) => `${'x'.repeat(200)}${n}`)
    expect(resolvText(dns({ policy: 'none', searches: long }), bridge, host).length).toBeLessThanOrEqual(
      'search \n'.length + 2048,
    )
  })

  const refused = expect.objectContaining({ code: 'SECURITY_REFUSED' })
  for (const text of ['a\nnameserver 6.6.6.6', 'a b', 'a\0', '1.2.3', '1.2.3.4%\n']) {
    test(`${JSON.stringify(text)} cannot break out of its line`, () => {
      expect(() => resolvText(dns({ nameservers: [text] }), bridge, host)).toThrow(refused)
      expect(() => resolvText(dns({ options: [{ name: 'ndots', value: text }] }), bridge, host)).toThrow(refused)
      if (/\s|\0/.test(text)) expect(() => resolvText(dns({ searches: [text] }), bridge, host)).toThrow(refused)
    })
  }

  test("the host's own file is read leniently", () => {
    const text =
      '# c\nnameserver 1.1.1.1 # x\nnameserver\n; y\ndomain old.example\nsearch a.example .\noptions ndots:2 bad!option\nsortlist 1\n'
    expect(parseResolv(text)).toEqual({ servers: ['1.1.1.1'], searches: ['a.example'], options: ['ndots:2'] })
  })
})
