/** A world for verbs: what they write is kept, what they ask of the engine is what the test says. */
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import type { Output, World } from '../../src/cli/verb.ts'
import type { Engine, ListedContainer, ListedPod } from '../../src/engine/index.ts'
import type { ContainerName, Id, PodName } from '../../src/model.ts'
import { SYSTEM_PATHS } from '../../src/paths.ts'

export type Recorded = { world: World; out: () => string; err: () => string }

/** Noon of 2 January 2026, in milliseconds. */
export const NOW_MS = Date.UTC(2026, 0, 2, 12)

export function recordedOutput(overrides: Partial<Output> = {}): { output: Output; text: () => string } {
  let text = ''
  const output: Output = {
    write: more => {
      text += more
    },
    isTerminal: false,
    rewritable: false,
    colour: false,
    columns: 80,
    closed: new AbortController().signal,
    ...overrides,
  }
  return { output, text: () => text }
}

/** Only the engine's verbs that a test names exist; any other one is a mistake of the test. */
export function recordedWorld(engine: Partial<Engine> = {}, overrides: Partial<World> = {}): Recorded {
  const out = recordedOutput()
  const err = recordedOutput()
  const world: World = {
    out: out.output,
    err: err.output,
    stdin: () => Readable.from([]),
    terminal: () => {
      throw new Error('this test has no terminal')
    },
    env: {},
    cwd: '/',
    clock: { nowMs: () => NOW_MS, monotonicMs: () => 0, sleep: async () => undefined },
    run: async () => {
      throw new Error('this test runs no program')
    },
    paths: SYSTEM_PATHS,
    notifier: async () => undefined,
    template: async name => readFileSync(new URL(`../../templates/${name}`, import.meta.url), 'utf8'),
    launcher: '/usr/local/lib/tspod/bin/tspod',
    units: async () => {
      throw new Error('this test has no systemd')
    },
    signal: new AbortController().signal,
    engine: async () => engine as Engine,
    ...overrides,
  }
  return { world, out: out.text, err: err.text }
}

export function containerView(overrides: Partial<ListedContainer> = {}): ListedContainer {
  return {
    id: 'c'.repeat(64) as Id,
    name: 'web-nginx',
    shortName: 'nginx' as ContainerName,
    pod: 'web' as PodName,
    podId: 'a'.repeat(64) as Id,
    kind: 'regular',
    goal: 'running',
    image: 'docker.io/library/nginx:1.27',
    imageId: 'd'.repeat(64),
    state: 'running',
    reason: 'Running',
    message: '',
    pid: 4321,
    restarts: 0,
    createdMs: NOW_MS - 301_000,
    startedMs: NOW_MS - 300_000,
    stopSignal: 'SIGTERM',
    started: true,
    ready: true,
    command: ['nginx', '-g', 'daemon off;'],
    ports: [
      { containerPort: 80, hostPort: 8080, hostIp: '', protocol: 'tcp' },
      { containerPort: 9000, hostIp: '', protocol: 'tcp' },
    ],
    logPath: '/var/log/tspod/pods/web/nginx.log',
    mounts: [{ volume: 'html', path: '/usr/share/nginx/html' }],
    ...overrides,
  }
}

export function podView(overrides: Partial<ListedPod> = {}): ListedPod {
  const containers = overrides.containers ?? [containerView()]
  return {
    id: 'a'.repeat(64) as Id,
    name: 'web' as PodName,
    kind: 'pod',
    state: 'Running',
    namespace: 'default',
    labels: { app: 'web' },
    phase: 'Running',
    reason: 'Running',
    ready: 1,
    total: 1,
    restarts: 0,
    createdMs: NOW_MS - 301_000,
    startedMs: NOW_MS - 300_000,
    ips: ['10.91.0.2'],
    ports: containers.flatMap(container => container.ports),
    runtime: 'crun',
    origin: 'Pod/web',
    restartPolicy: 'Always',
    networks: ['tspod'],
    cgroup: '/machine.slice/tspod-pod-web-aaaaaaaaaaaa.scope',
    containers,
    ...overrides,
  }
}
