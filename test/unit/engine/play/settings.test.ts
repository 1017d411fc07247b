import { describe, expect, test } from '@jest/globals'
import { logSettings, networkPlan } from '../../../../src/engine/play/settings.ts'
import type { PlayOptions } from '../../../../src/engine/types/api.ts'
import type { PodSpec } from '../../../../src/model.ts'

const pod = (hostNetwork = false): PodSpec => ({ hostNetwork }) as PodSpec
const options = (more: Partial<PlayOptions>): PlayOptions =>
  ({ networks: [], ips: [], macs: [], logOptions: [], ...more }) as PlayOptions
const bridge = (...networks: object[]) => ({ mode: 'bridge', networks: networks.map(one => ({ aliases: [], ...one })) })

describe('networkPlan', () => {
  const good: [string, ReturnType<typeof pod>, Partial<PlayOptions>, object][] = [
    ['the default bridge', pod(), {}, bridge({ name: 'tspod' })],
    ['hostNetwork of the manifest', pod(true), {}, { mode: 'host' }],
    ['a flag wins over hostNetwork', pod(true), { networks: ['none'] }, { mode: 'none' }],
    ['bridge is the default network', pod(), { networks: ['bridge'] }, bridge({ name: 'tspod' })],
    ['two networks', pod(), { networks: ['a', 'b'] }, bridge({ name: 'a' }, { name: 'b' })],
    [
      'options of a network',
      pod(),
      { networks: ['a:ip=10.1.0.9,mac=02:00:00:00:00:01,alias=x,alias=y'] },
      bridge({ name: 'a', ip: '10.1.0.9', mac: '02:00:00:00:00:01', aliases: ['x', 'y'] }),
    ],
    ['--ip for the first pod', pod(), { ips: ['10.91.0.7'] }, bridge({ name: 'tspod', ip: '10.91.0.7' })],
  ]
  for (const [name, spec, more, plan] of good) {
    test(name, () => expect(networkPlan(spec, 0, options(more))).toEqual(plan))
  }

  const bad: [string, Partial<PlayOptions>, string][] = [
    ['host together with another', { networks: ['host', 'a'] }, '--network host cannot be combined'],
    ['an unknown option', { networks: ['a:speed=9'] }, 'cannot use "speed=9"'],
    ['a name that could be a path', { networks: ['../a'] }, 'is not a network name'],
    ['what is not built yet', { networks: ['slirp4netns'] }, 'not yet supported'],
    ['--ip with two networks', { networks: ['a', 'b'], ips: ['10.1.0.1'] }, 'exactly one network'],
    ['--ip with the host network', { networks: ['host'], ips: ['10.1.0.1'] }, 'exactly one network'],
    ['an address that is none', { ips: ['10.1.0'] }, 'is not an IP address'],
    ['a MAC address that is none', { macs: ['02:00'] }, 'is not a MAC address'],
  ]
  for (const [name, more, message] of bad) {
    test(`refuses ${name}`, () => expect(() => networkPlan(pod(), 0, options(more))).toThrow(message))
  }

  test('the second pod gets the second address, the third none', () => {
    const ips = ['10.91.0.7', '10.91.0.8']
    expect(networkPlan(pod(), 1, options({ ips }))).toEqual(bridge({ name: 'tspod', ip: '10.91.0.8' }))
    expect(networkPlan(pod(), 2, options({ ips }))).toEqual(bridge({ name: 'tspod' }))
  })
})

describe('logSettings', () => {
  test('k8s-file with 10 MiB by default', () => {
    expect(logSettings(options({}))).toEqual({ driver: 'k8s-file', maxBytes: 10 * 1024 * 1024 })
  })
  test('options are read, the flag wins over the option', () => {
    const logOptions = ['driver=none', 'path=/var/log/a.log', 'max-size=2mb']
    expect(logSettings(options({ logOptions, logDriver: 'json-file' }))).toEqual({
      driver: 'json-file',
      path: '/var/log/a.log',
      maxBytes: 2 * 1024 * 1024,
    })
  })
  for (const option of ['nothing', 'driver=fast', 'max-size=much', 'colour=red', 'path=relative']) {
    test(`refuses --log-opt ${option}`, () => {
      expect(() => logSettings(options({ logOptions: [option] }))).toThrow(expect.objectContaining({ code: 'USAGE' }))
    })
  }
})
