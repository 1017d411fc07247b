import { describe, expect, test } from '@jest/globals'
import type { ContainerFacts, Facts, HostObject, PodFacts } from '../../../../src/engine/fsck/facts.ts'
import { parseForwards } from '../../../../src/engine/fsck/gather-network.ts'
import { judge } from '../../../../src/engine/fsck/judge.ts'
import type { Observed } from '../../../../src/engine/plan/index.ts'
import type { Id } from '../../../../src/model.ts'

const id = (digit: string): Id => digit.repeat(64) as Id
const RUNNING: Observed = { at: 'running', pid: 7, start: '1' }

const container = (more: Partial<ContainerFacts> = {}): ContainerFacts => ({
  id: id('c'),
  name: 'web-c1',
  kind: 'regular',
  goal: 'running',
  state: 'running',
  observed: RUNNING,
  unknownRun: false,
  parts: { runtime: true, directory: true, cgroup: true, layer: 'mounted' },
  ...more,
})

const LEASE = { network: 'tspod', address: '10.91.0.2' }

const pod = (more: Partial<PodFacts> = {}, ...containers: ContainerFacts[]): PodFacts => ({
  id: id('a'),
  name: 'web',
  kind: 'pod',
  goal: 'running',
  complete: true,
  busy: false,
  sandbox: 'up',
  wakes: false,
  namespaces: [
    { kind: 'net', pinned: true },
    { kind: 'uts', pinned: true },
  ],
  network: { interfaces: true, bridge: true, names: true, ports: true },
  attachments: [LEASE],
  containers: containers.length > 0 ? containers : [container()],
  ...more,
})

const facts = (more: Partial<Facts> = {}): Facts => ({
  damage: [],
  dangling: [],
  pods: [pod()],
  leases: [{ ...LEASE, pod: id('a') }],
  sessions: [],
  objects: [],
  copies: [],
  volumes: { directories: [], rows: [] },
  locks: [],
  timekeeper: true,
  history: new Set(),
  ...more,
})

const withContainer = (more: Partial<ContainerFacts>): Facts => facts({ pods: [pod({}, container(more))] })
const withPod = (more: Partial<PodFacts>): Facts => facts({ pods: [pod(more)] })

/** Everything there can be of one pod with one container. */
const objectsOf = (podId: Id, containerId: Id): HostObject[] => [
  { is: 'log directory', path: '/l', id: podId },
  { is: 'pod directory', path: '/p', id: podId },
  { is: 'namespaces', path: '/n', id: podId },
  { is: 'cgroup', path: '/tspod/pod', id: podId.slice(0, 12) },
  { is: 'network', network: 'tspod', address: '10.91.0.3', id: podId },
  { is: 'exit file', path: '/e', id: containerId },
  { is: 'notify directory', path: '/y', id: containerId.slice(0, 12) },
  { is: 'run directory', path: '/r', id: containerId },
  { is: 'root file system', id: containerId },
  { is: 'monitor', pid: 9, start: '1', id: containerId },
  { is: 'runtime state', runtime: 'crun', id: containerId },
]

/** `invariant object: repair` of each finding. */
const judged = (of: Facts): string[] =>
  judge(of).map(({ invariant, object, repair }) => {
    const what = repair?.do === 'remove' ? `remove ${repair.object.is}` : (repair?.do ?? 'nothing')
    return `${invariant} ${object}: ${what}`
  })

const cases: Record<string, { facts: Facts; found: string[] }> = {
  'all is well': { facts: facts({ objects: objectsOf(id('a'), id('c')) }), found: [] },
  'a damaged database is told of and left alone': {
    facts: facts({ damage: ['row 3 missing'] }),
    found: ['I1 database: nothing'],
  },
  'a pod that only its copy tells of is adopted, with everything it has, after its service': {
    facts: facts({
      pods: [],
      leases: [],
      objects: [...objectsOf(id('a'), id('c')), { is: 'copy of records', path: '/a', id: id('a') }],
      copies: [
        { id: id('a'), name: 'web', kind: 'pod', containers: [id('c')] },
        { id: id('d'), name: 'x-service', kind: 'service', containers: [] },
      ],
      locks: [{ name: 'web', sideFileOnly: false }],
    }),
    found: ['I3 service x-service: adopt', 'I3 pod web: adopt'],
  },
  'a pod that runs and whose name another one has by now is left alone': {
    facts: facts({
      copies: [{ id: id('f'), name: 'web', kind: 'pod', containers: [id('e')] }],
      objects: objectsOf(id('f'), id('e')),
    }),
    found: ['I3 pod web: nothing'],
  },
  'a copy of a pod whose name another one has by now is removed': {
    facts: facts({
      objects: [{ is: 'copy of records', path: '/f', id: id('f') }],
      copies: [{ id: id('f'), name: 'web', kind: 'pod', containers: [] }],
    }),
    found: ['I3 copy of records /f: remove copy of records'],
  },
  'a volume without a row is adopted': {
    facts: facts({ volumes: { directories: ['data', 'new'], rows: ['data'] } }),
    found: ['I3 volume new: adopt volume'],
  },
  'a row that dangles is cut': {
    facts: facts({ dangling: [{ table: 'container', rowid: 4, parent: 'pod' }] }),
    found: ['I1 container row 4: cut'],
  },
  'a pod that somebody works on is not judged': {
    facts: withPod({ busy: true, complete: false, sandbox: 'changing' }),
    found: [],
  },
  'an interrupted play': { facts: withPod({ complete: false, sandbox: 'changing' }), found: ['I2 pod web: tear down'] },
  'an interrupted removal': { facts: withPod({ goal: 'removed' }), found: ['I2 pod web: tear down'] },
  'an interrupted change of the sandbox': {
    facts: withPod({ sandbox: 'changing' }),
    found: ['I2 pod web: look after'],
  },
  'a pod at rest that has namespaces': { facts: withPod({ sandbox: 'down' }), found: ['I2 pod web: rebuild'] },
  'a namespace that is lost, with processes in it': {
    facts: withPod({ namespaces: [{ kind: 'net', pinned: false }] }),
    found: ['I2 pod web: pin again'],
  },
  'a namespace that is lost for good takes the findings of its containers along': {
    facts: facts({
      pods: [pod({ namespaces: [{ kind: 'net', pinned: false }] }, container({ observed: { at: 'lost' } }))],
    }),
    found: ['I2 pod web: rebuild'],
  },
  'a network that is broken in several ways is one finding': {
    facts: withPod({ network: { interfaces: false, bridge: false, names: true, ports: false } }),
    found: ['I2 pod web: reconnect'],
  },
  'a process that is gone': {
    facts: withContainer({ observed: { at: 'lost' } }),
    found: ['I2 container web-c1: look after'],
  },
  'an end that nobody dealt with': {
    facts: withContainer({ observed: { at: 'exited', code: 1, finishedMs: 1 } }),
    found: ['I2 container web-c1: look after'],
  },
  'a run that an older record does not know is recorded and goes on': {
    facts: withContainer({ observed: { at: 'lost' }, unknownRun: true }),
    found: ['I2 container web-c1: take over'],
  },
  'an end that is recorded': {
    facts: withContainer({ state: 'exited', observed: { at: 'exited', code: 1, finishedMs: 1 } }),
    found: [],
  },
  'a monitor that is gone': {
    facts: withContainer({ observed: { ...RUNNING, at: 'unmonitored' } }),
    found: ['I2 container web-c1: look after'],
  },
  'a run without its run directory': {
    facts: withContainer({ parts: { runtime: true, directory: false, cgroup: true, layer: 'mounted' } }),
    found: ['I2 container web-c1: restart'],
  },
  'a root file system that is not mounted': {
    facts: withContainer({ parts: { runtime: true, directory: true, cgroup: true, layer: 'unmounted' } }),
    found: ['I2 container web-c1: mount'],
  },
  'an address without a lease': { facts: facts({ leases: [] }), found: ['I2 pod web: lease'] },
  'an address that another pod has': {
    facts: facts({ leases: [{ ...LEASE, pod: id('b') }] }),
    found: ['I2 pod web: nothing'],
  },
  'a lease that its pod does not use': { facts: withPod({ attachments: [] }), found: ['I2 address 10.91.0.2: lease'] },
  'an exec session whose process is gone': {
    facts: facts({ sessions: [{ id: id('e'), alive: false }] }),
    found: ['I2 exec session eeeeeeeeeeee: end session'],
  },
  'a service without pods': {
    facts: withPod({ kind: 'service' }),
    found: ['I2 service web: remove services'],
  },
  'a wait for a clock without anybody who waits': {
    facts: facts({ timekeeper: false, pods: [pod({ wakes: true })] }),
    found: ['I2 pod web: wake'],
  },
  'what is left of another pod goes, processes first': {
    facts: facts({ objects: objectsOf(id('b'), id('d')) }),
    found: [
      'I3 container dddddddddddd of crun: remove runtime state',
      'I3 monitor dddddddddddd (process 9): remove monitor',
      'I3 root file system dddddddddddd: remove root file system',
      'I3 run directory /r: remove run directory',
      'I3 exit file /e: remove exit file',
      'I3 notify directory /y: remove notify directory',
      'I3 address 10.91.0.3 of bbbbbbbbbbbb in network tspod: remove network',
      'I3 cgroup /tspod/pod: remove cgroup',
      'I3 namespaces /n: remove namespaces',
      'I3 pod directory /p: remove pod directory',
      'I3 log directory /l: remove log directory',
    ],
  },
  'a cgroup alone may be of another installation': {
    facts: facts({ objects: [{ is: 'cgroup', path: '/tspod/pod-x', id: 'b'.repeat(12) }] }),
    found: ['I3 cgroup /tspod/pod-x: nothing'],
  },
  'a cgroup of a pod that the events know': {
    facts: facts({
      objects: [{ is: 'cgroup', path: '/tspod/pod-x', id: 'b'.repeat(12) }],
      history: new Set([id('b')]),
    }),
    found: ['I3 cgroup /tspod/pod-x: remove cgroup'],
  },
  'locks: of a pod, of the network, of nothing, and with a holder that is stopped': {
    facts: facts({
      locks: [
        { name: 'web', sideFileOnly: false },
        { name: '@network', sideFileOnly: false },
        { name: 'gone', sideFileOnly: false },
        { name: 'coming', sideFileOnly: false, heldBy: { pid: 5, stopped: false, command: 'tspod kube play' } },
        { name: 'stuck', sideFileOnly: false, heldBy: { pid: 6, stopped: true, command: 'tspod kube play' } },
      ],
    }),
    found: ['I8 lock gone: remove lock', 'I8 lock stuck: nothing'],
  },
}

describe('what fsck makes of what it sees', () => {
  for (const [title, one] of Object.entries(cases)) {
    test(title, () => expect(judged(one.facts)).toEqual(one.found))
  }
})

test('forwarded ports, as iptables-save and as nft tell them', () => {
  const text = `
-A NETAVARK-DN-3C -s 10.91.0.0/16 -p tcp -m tcp --dport 18080 -j NETAVARK-HOSTPORT-SETMARK
-A NETAVARK-DN-3C -p tcp -m tcp --dport 18080 -j DNAT --to-destination 10.91.0.2:80
-A NETAVARK-DN-3C -d 127.0.0.1/32 -p udp -m udp --dport 53 -j DNAT --to-destination [fd00::2]:5353
		tcp dport 8443 dnat ip to 10.91.0.3:443
`
  expect(parseForwards(text)).toEqual([
    { protocol: 'tcp', hostPort: 18_080, address: '10.91.0.2', containerPort: 80 },
    { protocol: 'udp', hostPort: 53, address: 'fd00::2', containerPort: 5353 },
    { protocol: 'tcp', hostPort: 8443, address: '10.91.0.3', containerPort: 443 },
  ])
})
