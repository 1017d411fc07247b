import { describe, expect, test } from '@jest/globals'
import { issuesOf, podText, translated } from './world.ts'

const service = (spec: string, name = 'shop'): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {${spec}}\n`
const SELECTED = 'selector: {app: web}, ports: [{port: 80}]'
const both = (spec: string, pod = podText('')): string => `${pod}---\n${service(spec)}`
const firstPod = (text: string) => translated(text).bundle.pods[0]!
const replicas = (count: number, container = ''): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: fan}\nspec: {replicas: ${count}, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: "x:1"${container}}]}}}\n`

describe('the names of a Service', () => {
  test('are names of its pods, beside those of their containers', () => {
    expect(firstPod(both(SELECTED)).dnsNames).toEqual([
      ...['main', 'shop', 'shop.default', 'shop.default.svc', 'shop.default.svc.cluster.local'],
    ])
  })

  test('are for pods of its namespace only', () => {
    const elsewhere = podText('').replace('{name: web,', '{name: web, namespace: far,')
    expect(firstPod(both(SELECTED, elsewhere)).dnsNames).toEqual(['main'])
  })

  test('are not taken by a container of the same name in another pod', () => {
    const text = `${podText('').replace('app: web', 'app: other')}---\n${service(SELECTED, 'main')}`
    expect(firstPod(text).dnsNames).toEqual([])
  })

  test('of a StatefulSet are one for each pod, whether its Service is in the file or not', () => {
    const set = replicas(2)
      .replace('kind: Deployment', 'kind: StatefulSet')
      .replace('{replicas', '{serviceName: peers, replicas')
    expect(translated(set).bundle.pods.map(({ dnsNames }) => dnsNames?.slice(0, 3))).toEqual([
      ['main', 'fan-0.peers', 'fan-0.peers.default'],
      ['main', 'fan-1.peers', 'fan-1.peers.default'],
    ])
    const withService = `${set}---\n${service('selector: {app: web}, clusterIP: None', 'peers')}`
    expect(firstPod(withService).dnsNames?.filter(name => name.endsWith('.local'))).toEqual([
      'peers.default.svc.cluster.local',
      'fan-0.peers.default.svc.cluster.local',
    ])
  })

  test('that lead nowhere are noted', () => {
    expect(translated(both('selector: {app: none}, ports: [{port: 80}]')).notes).toEqual([
      'app.yaml:9:8 spec.selector has no effect: no pod of this play has these labels: the name shop leads nowhere',
    ])
    expect(translated(both('ports: [{port: 80}]')).notes.join()).toContain('without a selector nobody says which pods')
  })
})

describe('the ports of a Service', () => {
  const ports = (text: string) => translated(text).bundle.pods.map(pod => pod.containers[0]?.ports)

  test('are published by their nodePort, at the first pod', () => {
    const text = `${replicas(3)}---\n${service('type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 30080}]')}`
    const published = { containerPort: 80, hostPort: 30080, hostIp: '', protocol: 'tcp' }
    expect(ports(text)).toEqual([[published], [], []])
    expect(translated(text).notes.join()).toContain('for pods other than fan-pod: a port of the host leads to one pod')
  })

  test('find the port of a container by its name', () => {
    const text = `${replicas(1, ', ports: [{name: http, containerPort: 8080}]')}---\n${service('type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: http, nodePort: 30080}]')}`
    expect(ports(text)[0]?.at(-1)).toMatchObject({ containerPort: 8080, hostPort: 30080 })
    expect(translated(text).notes.join()).toContain('clients use port 8080: the name shop leads to the pods themselves')
  })

  test('that no container has are noted', () => {
    const text = both('selector: {app: web}, ports: [{port: 80, targetPort: http}]')
    expect(translated(text).notes.join()).toContain('no container of web has a port called "http"')
  })

  test('are published only when somebody says where', () => {
    const text = both('type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]')
    expect(ports(text)).toEqual([[]])
    expect(translated(text).notes.join()).toContain('it is not published: that takes a nodePort')
  })

  test('of the host are had once', () => {
    const pod = podText('', 'ports: [{containerPort: 80, hostPort: 30080}]')
    expect(issuesOf(both('type: NodePort, selector: {app: web}, ports: [{port: 81, nodePort: 30080}]', pod))).toEqual([
      expect.stringMatching(/DUPLICATE spec.ports\[0\].nodePort$/),
    ])
  })
})

describe('the variables of a Service', () => {
  const variables = (text: string): Record<string, unknown> =>
    Object.fromEntries(firstPod(text).containers[0]!.env.map(entry => [entry.name, 'text' in entry && entry.text]))

  test('say its name and the ports that clients reach', () => {
    const spec =
      'selector: {app: web}, ports: [{name: http-in, port: 80, targetPort: 8080}, {name: dns, port: 53, protocol: UDP}]'
    expect(variables(`${podText('')}---\n${service(spec, 'my-shop')}`)).toEqual({
      MY_SHOP_SERVICE_HOST: 'my-shop',
      MY_SHOP_SERVICE_PORT: '8080',
      MY_SHOP_SERVICE_PORT_HTTP_IN: '8080',
      MY_SHOP_SERVICE_PORT_DNS: '53',
      MY_SHOP_PORT: 'tcp://my-shop:8080',
      MY_SHOP_PORT_80_TCP: 'tcp://my-shop:8080',
      MY_SHOP_PORT_80_TCP_PROTO: 'tcp',
      MY_SHOP_PORT_80_TCP_PORT: '8080',
      MY_SHOP_PORT_80_TCP_ADDR: 'my-shop',
      MY_SHOP_PORT_53_UDP: 'udp://my-shop:53',
      MY_SHOP_PORT_53_UDP_PROTO: 'udp',
      MY_SHOP_PORT_53_UDP_PORT: '53',
      MY_SHOP_PORT_53_UDP_ADDR: 'my-shop',
    })
  })

  test('come before those of the manifest', () => {
    const names = firstPod(both(SELECTED, podText('', 'env: [{name: OWN, value: $(SHOP_SERVICE_HOST)}]')))
      .containers[0]!.env
    expect(names.at(0)?.name).toBe('SHOP_SERVICE_HOST')
    expect(names.at(-1)?.name).toBe('OWN')
  })

  const without: Record<string, string> = {
    'enableServiceLinks: false': both(SELECTED, podText('enableServiceLinks: false')),
    'the network of the host': both(SELECTED, podText('hostNetwork: true')),
    'a headless Service': both('selector: {app: web}, clusterIP: None, ports: [{port: 80}]'),
  }
  for (const [name, text] of Object.entries(without)) {
    test(`are not there with ${name}`, () => expect(variables(text)).toEqual({}))
  }
})

describe('mistakes in a Service', () => {
  const cases: Record<string, [string, string]> = {
    'no port': ['selector: {app: web}', 'REQUIRED spec.ports'],
    'a port that is none': ['ports: [{port: 70000}]', 'INVALID_VALUE spec.ports[0].port'],
    'two ports without names': ['ports: [{port: 1, name: a}, {port: 2}]', 'REQUIRED spec.ports[1].name'],
    'a name twice': ['ports: [{port: 1, name: a}, {port: 2, name: a}]', 'DUPLICATE spec.ports[1].name'],
    'a number twice': ['ports: [{port: 1, name: a}, {port: 1, name: b}]', 'DUPLICATE spec.ports[1].port'],
    'a number in quotes': ['ports: [{port: 1, targetPort: "80"}]', 'INVALID_VALUE spec.ports[0].targetPort'],
    'a nodePort of a ClusterIP': ['ports: [{port: 1, nodePort: 30000}]', 'FORBIDDEN spec.ports[0].nodePort'],
    'a protocol': ['ports: [{port: 1, protocol: HTTP}]', 'UNSUPPORTED_VALUE spec.ports[0].protocol'],
    'a type': ['type: Internal, ports: [{port: 1}]', 'UNSUPPORTED_VALUE spec.type'],
    'headless and published': ['clusterIP: None, type: NodePort, ports: [{port: 1}]', 'INVALID_VALUE spec.clusterIP'],
    'an external name': ['type: ExternalName, ports: [{port: 1}]', 'NOT_SUPPORTED spec.type'],
    'an affinity': ['sessionAffinity: Cookie, ports: [{port: 1}]', 'UNSUPPORTED_VALUE spec.sessionAffinity'],
  }
  for (const [name, [spec, issue]] of Object.entries(cases)) {
    test(`${name} is refused at its place`, () => {
      expect(issuesOf(service(spec)).map(line => line.replace(/^\S+ /, ''))).toEqual([issue])
    })
  }

  test('its name is a DNS label', () => {
    expect(issuesOf(service(SELECTED, 'a.b'))[0]).toMatch(/INVALID_VALUE metadata.name$/)
  })
})
