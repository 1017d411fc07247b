import { Readable } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import { downOutcome } from '../../../src/cli/down.ts'
import { interpret } from '../../../src/cli/interpret.ts'
import { playOutcome } from '../../../src/cli/play-report.ts'
import type { DownReport, DownRequest, Engine, PlayOptions, PlayReport } from '../../../src/engine/index.ts'
import type { Bundle } from '../../../src/model.ts'
import { type Recorded, recordedWorld } from '../../support/world.ts'

const report = (change: Partial<PlayReport>): PlayReport => ({ volumes: [], secrets: [], pods: [], ...change })
const nothing: DownReport = { stopped: [], removed: [], secrets: [], volumes: [], failures: [] }
const container = (id: string) => ({ name: id, id })

describe('what is printed after a play, in the order of Podman', () => {
  const cases: Record<string, { report: PlayReport; stdout: string; stderr?: string; exitCode?: number }> = {
    'volumes, secrets, pods': {
      report: report({
        volumes: ['data', 'cache'],
        secrets: [{ name: 's', id: 'secret-id' }],
        pods: [
          { name: 'one', id: 'pod1', containers: [container('c1')], failures: [] },
          { name: 'two', id: 'pod2', containers: [container('c2'), container('c3')], failures: [] },
        ],
      }),
      stdout:
        'Volumes:\ndata\ncache\nSecrets:\nsecret-id\nPod:\npod1\nContainer:\nc1\n\nPod:\npod2\nContainers:\nc2\nc3\n\n',
    },
    'a pod without containers has two lines': {
      report: report({ pods: [{ name: 'one', id: 'pod1', containers: [], failures: [] }] }),
      stdout: 'Pod:\npod1\n',
    },
    'a claim alone': { report: report({ volumes: ['data'] }), stdout: 'Volumes:\ndata\n' },
    'containers that do not start': {
      report: report({
        pods: [
          {
            name: 'one',
            id: 'pod1',
            containers: [container('c1')],
            failures: [{ container: 'one-c1', message: 'no such program\u001b[2J' }],
          },
        ],
      }),
      stdout: 'Pod:\npod1\nContainer:\nc1\n\n',
      stderr:
        'one-c1: no such program?[2J\nError: failed to start 1 containers\n  see `tspod logs` and `tspod ps --all`\n',
      exitCode: 125,
    },
    'what was replaced comes first': {
      report: report({
        replaced: { ...nothing, stopped: ['old'], removed: ['old'] },
        pods: [{ name: 'one', id: 'pod1', containers: [], failures: [] }],
      }),
      stdout: 'Pods stopped:\nold\nPods removed:\nold\nSecrets removed:\nVolumes removed:\nPod:\npod1\n',
    },
  }
  for (const [name, { report, stdout, stderr = '', exitCode = 0 }] of Object.entries(cases)) {
    test(name, () => {
      expect(playOutcome(report)).toEqual({ stdout, stderr, exitCode })
    })
  }
})

describe('what is printed after a down', () => {
  test('four headings, always', () => {
    expect(downOutcome(nothing)).toEqual({
      stdout: 'Pods stopped:\nPods removed:\nSecrets removed:\nVolumes removed:\n',
      stderr: '',
      exitCode: 0,
    })
  })
  test('what could not be removed is told, and is a failure', () => {
    const outcome = downOutcome({ ...nothing, stopped: ['p'], failures: [{ object: 'web', message: 'device busy' }] })
    expect(outcome.stdout).toContain('Pods stopped:\np\n')
    expect(outcome.stderr).toBe(
      'web: device busy\nError: 1 of the objects could not be removed\n  run the same command again\n',
    )
    expect(outcome.exitCode).toBe(125)
  })
})

const POD = `apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - {name: nginx, image: nginx, ports: [{containerPort: 80}]}
`

/** Runs a command line with POD on standard input, against an engine that only keeps what it was asked. */
async function run(line: string, input = POD) {
  const asked: { bundle?: Bundle; options?: PlayOptions; request?: DownRequest; force?: boolean } = {}
  const engine: Partial<Engine> = {
    storedSecrets: async () => () => undefined,
    play: async (bundle, options, progress) => {
      progress({ object: 'nginx', text: 'pulling' })
      Object.assign(asked, { bundle, options })
      return report({})
    },
    down: async (request, { force }) => {
      Object.assign(asked, { request, force })
      return nothing
    },
  }
  const recorded: Recorded = recordedWorld(engine, { stdin: () => Readable.from([Buffer.from(input)]) })
  const invocation = await interpret(line.split(' '), 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  const outcome = await invocation.verb.run(invocation.input, recorded.world)
  return { ...asked, outcome, err: recorded.err() }
}

describe('how strictly a manifest is judged', () => {
  test('--pod-security looks at the pod with all that flags make of it', async () => {
    expect((await run('kube play --pod-security baseline -')).bundle?.pods).toHaveLength(1)
    for (const flag of ['--publish 8080:80', '--publish-all', '--network host']) {
      const refused = run(`kube play --pod-security baseline ${flag} -`)
      await expect(refused).rejects.toMatchObject({
        code: 'MANIFEST_INVALID',
        details: expect.stringContaining('violates PodSecurity "baseline"'),
      })
    }
    const { bundle, err } = await run('kube play --pod-security baseline --pod-security-mode warn --network host -')
    expect(bundle?.pods).toHaveLength(1)
    expect(err).toContain('would violate PodSecurity "baseline": host namespaces (--network host)')
  })
  test('a mode without a level is a mistake', async () => {
    await expect(run('kube play --pod-security-mode warn -')).rejects.toMatchObject({
      message: '--pod-security-mode needs --pod-security',
    })
  })
  test('--validate=warn plays what has fields that do not exist', async () => {
    const input = POD.replace('image: nginx', 'image: nginx, imagee: x')
    await expect(run('kube play -', input)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
    const { bundle, err } = await run('kube play --validate=warn -', input)
    expect(bundle?.pods).toHaveLength(1)
    expect(err).toContain('unknown field "imagee"')
    expect((await run('kube play --validate=ignore -', input)).err).not.toContain('imagee')
  })
})

describe('what the engine is asked for', () => {
  test('the defaults', async () => {
    const { bundle, options, err } = await run('kube play -')
    expect(bundle?.pods.map(pod => pod.name)).toEqual(['web'])
    expect(options).toEqual({
      build: { root: '/', always: false },
      replace: false,
      start: true,
      networks: [],
      ips: [],
      macs: [],
      logOptions: [],
      noHosts: false,
      noHostname: false,
      noPodPrefix: false,
      pull: { quiet: false },
    })
    expect(err).toBe('nginx: pulling\n')
  })
  test('every flag', async () => {
    const { bundle, options, err } = await run(
      'kube play --replace --start=false --network a:ip=1.2.3.4,mac=x --network b --ip 10.91.0.9 --mac-address 02:00:00:00:00:01 ' +
        '--log-driver none --log-opt max-size=1m --no-hosts --no-hostname --no-pod-prefix --publish 8080:80,8081:81/udp ' +
        '--annotation k=a,b=c --userns host --runtime runc --build --context-dir src --creds me:secret --tls-verify=false --no-trunc -q -',
    )
    expect(options).toEqual({
      build: { root: '/src', always: true },
      replace: true,
      start: false,
      networks: ['a:ip=1.2.3.4,mac=x', 'b'],
      ips: ['10.91.0.9'],
      macs: ['02:00:00:00:00:01'],
      logDriver: 'none',
      logOptions: ['max-size=1m'],
      noHosts: true,
      noHostname: true,
      noPodPrefix: true,
      runtime: 'runc',
      pull: { quiet: true, creds: 'me:secret', tlsVerify: false },
    })
    expect(bundle?.pods[0]?.annotations).toEqual({ k: 'a,b=c', 'io.podman.annotations.userns': 'host' })
    expect(bundle?.pods[0]?.containers[0]?.ports).toContainEqual({
      containerPort: 80,
      hostPort: 8080,
      hostIp: '',
      protocol: 'tcp',
    })
    expect(err).toBe('')
  })
  test('--down is kube down', async () => {
    for (const line of ['kube play --down --force -', 'kube down --force -']) {
      const { request, force, bundle } = await run(line)
      expect({ pods: request?.pods, force, bundle }).toEqual({ pods: ['web'], force: true, bundle: undefined })
    }
    expect((await run('kube down -')).force).toBe(false)
  })
  test('a manifest that is no longer valid can still be taken down', async () => {
    const { request } = await run('kube down -', `${POD}  nonsense: true\n`)
    expect(request?.pods).toEqual(['web'])
  })
  test('a mistake in the manifest: the engine is not asked at all', async () => {
    await expect(run('kube play -', `${POD}  nonsense: true\n`)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
  })
  test('files about registries that are not there', async () => {
    await expect(run('kube play --authfile /nope/a --cert-dir /nope/b --creds me -')).rejects.toMatchObject({
      code: 'USAGE',
      details:
        'Error: credential file is not accessible: faccessat /nope/a: no such file or directory\n' +
        'Error: certificate directory is not accessible: faccessat /nope/b: no such file or directory\n' +
        'Error: --creds needs USER:PASSWORD\n  or log in with `skopeo login` and give --authfile',
    })
  })
})
