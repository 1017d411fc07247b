import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { interpret } from '../../../src/cli/interpret.ts'
import { logPrefixes } from '../../../src/cli/logs.ts'
import { parseSince } from '../../../src/cli/since.ts'
import type { Found, ListedPod } from '../../../src/engine/index.ts'
import type { ContainerName, Id } from '../../../src/model.ts'
import { containerView, NOW_MS, podView, recordedWorld } from '../../support/world.ts'

let directory: string
let pod: ListedPod

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tspod-logs-'))
  const time = (second: number): string => `2026-01-02T11:59:0${second}.000000000+00:00`
  writeFileSync(join(directory, 'setup'), `${time(0)} stdout F ready\n`)
  writeFileSync(
    join(directory, 'nginx'),
    `${time(1)} stdout F one\n${time(2)} stderr F two\n${time(3)} stdout P thr\n${time(3)} stdout F ee\n`,
  )
  pod = podView({
    containers: [
      containerView({
        id: 'e'.repeat(64) as Id,
        name: 'web-setup',
        shortName: 'setup' as ContainerName,
        kind: 'init',
        state: 'exited',
        exitCode: 0,
        logPath: join(directory, 'setup'),
      }),
      containerView({ logPath: join(directory, 'nginx') }),
      containerView({ id: 'f'.repeat(64) as Id, kind: 'infra', logPath: '' }),
    ],
  })
})
afterAll(() => rmSync(directory, { recursive: true }))

async function logs(args: string[], found: () => Found, pods: () => ListedPod[] = () => [], overrides = {}) {
  const recorded = recordedWorld({ find: async () => found(), pods: async () => pods() }, overrides)
  const invocation = await interpret(['logs', ...args, 'web'], 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  const outcome = await invocation.verb.run(invocation.input, recorded.world)
  return { out: recorded.out(), err: recorded.err(), outcome }
}

const wholePod = (): Found => ({ kind: 'pod', pod })
const oneContainer = (): Found => ({ kind: 'container', pod, container: pod.containers[1]! })

describe('logs', () => {
  test('one container: its two streams to ours', async () => {
    expect(await logs([], oneContainer)).toMatchObject({ out: 'one\nthree\n', err: 'two\n' })
  })
  test('a pod: all containers in the order of time, under aligned names', async () => {
    expect(await logs([], wholePod)).toMatchObject({
      out: 'setup | ready\nnginx | one\nnginx | two\nnginx | three\n',
      err: '',
    })
  })
  test('the last lines, with times', async () => {
    expect(await logs(['--tail', '1', '-t'], oneContainer)).toMatchObject({
      out: '2026-01-02T11:59:03.000000000+00:00 three\n',
    })
    expect(await logs(['--tail=-1'], oneContainer)).toMatchObject({ out: 'one\nthree\n' })
  })
  test('since', async () => {
    expect(await logs(['--since', '58s'], oneContainer)).toMatchObject({ out: 'three\n', err: 'two\n' })
    await expect(logs(['--since', 'yesterday'], oneContainer)).rejects.toMatchObject({
      code: 'USAGE',
      message: 'invalid argument "yesterday" for "--since" flag: no time and no age',
    })
  })
  test('until', async () => {
    expect(await logs(['--until', '58s'], oneContainer)).toMatchObject({ out: 'one\n', err: 'two\n' })
  })
  test('one container of a pod, by any of its names', async () => {
    const { shortName, name, id } = pod.containers[1]!
    for (const asked of [shortName, name, id.slice(0, 12)]) {
      expect(await logs(['-c', asked], wholePod)).toMatchObject({ out: 'one\nthree\n', err: 'two\n' })
    }
    await expect(logs(['-c', 'nobody'], wholePod)).rejects.toMatchObject({ code: 'NO_SUCH_OBJECT' })
  })
  test('several: names before each line, Podman’s -n changes nothing, and nothing is shown twice', async () => {
    const out = 'nginx | one\nnginx | two\nnginx | three\n'
    expect(await logs(['-n', 'web'], oneContainer)).toMatchObject({ out, err: '' })
  })
  test('a service container has nothing to say', async () => {
    const service = { ...pod.containers[2]!, kind: 'service' as const }
    expect(await logs([], () => ({ kind: 'container', pod, container: service }))).toMatchObject({ out: '', err: '' })
  })
  test('following ends by itself when the pod has ended', async () => {
    const ended = (): ListedPod[] => [{ ...pod, phase: 'Succeeded' }]
    expect(await logs(['-f'], wholePod, ended)).toMatchObject({ outcome: { interrupted: false } })
  })
  test('following ends with an interrupt, without a complaint', async () => {
    const stop = new AbortController()
    const running = (): ListedPod[] => {
      stop.abort(new Error('interrupted'))
      return [pod]
    }
    const ended = await logs(['-f'], wholePod, running, { signal: stop.signal })
    expect(ended.outcome).toEqual({ interrupted: true })
  })
  test('a log that is kept elsewhere', async () => {
    const found = (): Found => ({ kind: 'container', pod, container: pod.containers[2]! })
    await expect(logs([], found)).rejects.toMatchObject({ code: 'WRONG_STATE' })
  })
})

test('prefixes have colours on a terminal', () => {
  const prefixes = logPrefixes(
    [
      { id: 'a', name: 'db' },
      { id: 'b', name: 'web-server' },
    ],
    true,
  )
  expect([...prefixes.values()]).toEqual(['\x1b[36mdb         | \x1b[0m', '\x1b[33mweb-server | \x1b[0m'])
})

describe('--since', () => {
  const cases: [text: string, ms: number | undefined][] = [
    ['10m', NOW_MS - 600_000],
    ['1h30m', NOW_MS - 5_400_000],
    ['2d', NOW_MS - 172_800_000],
    ['1.5s', NOW_MS - 1500],
    ['1767355200', 1_767_355_200_000],
    ['2026-01-02T12:00:00Z', NOW_MS],
    ['2026-01-02T13:00:00+01:00', NOW_MS],
    ['2026-01-02', NOW_MS - 43_200_000],
    ['10', 10_000],
    ['+10m', NOW_MS + 600_000],
    ['', undefined],
    ['10x', undefined],
    ['2026-13-45T00:00:00Z', undefined],
    ['-5m', undefined],
  ]
  for (const [text, ms] of cases) test(JSON.stringify(text), () => expect(parseSince(text, NOW_MS)).toBe(ms))
})
