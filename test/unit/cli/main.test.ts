/** The whole process, from argv to exit code: src/main.ts run by Node itself, without a bundle. */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { VERSION } from '../../../src/version.ts'

const MAIN = join(import.meta.dirname, '../../../src/main.ts')

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tspod-main-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

type Ended = { code: number | null; out: string; err: string }

/** Starts tspod; `meanwhile` gets the child while it runs. Standard input stays open unless that ends it. */
function tspod(
  args: string[],
  meanwhile: (child: ReturnType<typeof spawn>) => unknown = child => child.stdin?.end(),
  env = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
      env: { PATH: process.env.PATH, ...env },
      stdio: 'pipe',
    })
    const text = { out: '', err: '' }
    child.stdout.on('data', data => (text.out += data))
    child.stderr.on('data', data => (text.err += data))
    child.on('error', reject)
    child.on('close', code => resolve({ code, ...text }))
    meanwhile(child)
  })
}

/**
 * Waits until a process has a handler for SIGHUP: field SigCgt of its status, bit number - 1. It is the last one that
 * main.ts installs, and, unlike SIGINT and SIGTERM, Node itself has none.
 */
async function untilListening(pid: number): Promise<void> {
  const bit = 1n << BigInt(constants.signals.SIGHUP - 1)
  for (let attempt = 0; attempt < 400; attempt++) {
    const caught = /^SigCgt:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0'
    if ((BigInt(`0x${caught}`) & bit) !== 0n) return
    await setTimeout(10)
  }
  throw new Error(`process ${pid} does not listen for signals`)
}

describe('the process', () => {
  test('its version', async () => {
    expect(await tspod(['--version'])).toEqual({ code: 0, out: `tspod version ${VERSION}\n`, err: '' })
  })
  test('a mistake', async () => {
    expect(await tspod(['frobnicate'])).toEqual({
      code: 125,
      out: '',
      err: 'Error: unknown command "frobnicate" for "tspod"\n  see `tspod --help`\n',
    })
  })
  test('a level that does not exist', async () => {
    const { code, err } = await tspod(['version'], undefined, { TSPOD_LOG: 'loud' })
    expect({ code, err }).toEqual({
      code: 125,
      err: 'Error: TSPOD_LOG="loud" is no log level\n  use one of debug, info, warn, error\n',
    })
  })
  test('a reader that has gone is no error', async () => {
    const ended = await tspod(['--help'], child => child.stdout?.destroy())
    expect({ code: ended.code, err: ended.err }).toEqual({ code: 0, err: '' })
  })
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    test(`${signal}, sent twice at once, while it waits for a manifest`, async () => {
      const roots = ['--root', join(directory, signal), '--runroot', join(directory, `${signal}-run`)]
      const ended = await tspod([...roots, 'kube', 'down', '-'], async child => {
        await untilListening(child.pid ?? 0)
        child.kill(signal)
        child.kill(signal)
      })
      expect(ended).toMatchObject({ code, out: '', err: expect.stringContaining(`Error: interrupted by ${signal}\n`) })
    })
  }
})

describe('standard output that takes nothing', () => {
  test('a full disk is told, and is no success', () => {
    const full = openSync('/dev/full', 'w')
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'version'], { stdio: ['ignore', full, 'pipe'] })
    closeSync(full)
    expect(String(stderr)).toContain('Error: cannot write standard output: no space left on device')
    expect(status).toBe(125)
  })
})
