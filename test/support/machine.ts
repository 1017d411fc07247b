/**
 * A Debian 13 with systemd as PID 1, booted in two seconds by systemd-nspawn. Every machine starts
 * from the same clean tree; what happens inside stays in its own directory until `remove`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { run } from '../../src/process.ts'
import type { Place } from './place.ts'
import { preparedTree } from './tree.ts'

const CHECKOUT = join(import.meta.dirname, '../..')
const STATE_PARENT = '/var/tmp'
const STATE_PREFIX = 'tspod-machine-'
const BOOT_TIMEOUT_MS = 90_000
const STOP_TIMEOUT_MS = 60_000
const POLL_MS = 50
const REMOVE_ATTEMPTS = 20

export type Machine = Place & {
  /** Boots (again) on the same disk. */
  boot(): Promise<void>
  /** Every process dies at once, files stay: a power cut. */
  crash(): Promise<void>
  /** An orderly shutdown. */
  poweroff(): Promise<void>
  /** The machine's console, for a failed boot. */
  readonly consolePath: string
}

/** The pinned Node of the checkout, as the machine sees it. */
export const NODE_INSIDE = `/src/node_modules/node-linux-${process.arch}/bin/node`

export type MachineOptions = {
  /** Which control groups it has; v2 where nothing is said. A controller is in one of them, the other lacks it. */
  cgroups?: 'v1' | 'v2'
}

/** Makes a machine with a clean disk and boots it. Throws with the console's last lines when it does not come up. */
export async function startMachine({ cgroups = 'v2' }: MachineOptions = {}): Promise<Machine> {
  const tree = await preparedTree()
  await sweepAbandoned()
  const state = await mkdtemp(join(STATE_PARENT, `${STATE_PREFIX}${process.pid}-`))
  for (const part of ['upper', 'work', 'root']) await mkdir(join(state, part))
  await cp(join(tree, 'var'), join(state, 'var'), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  const machine = machineOn(tree, state, cgroups)
  try {
    await machine.boot()
  } catch (error) {
    await machine.remove()
    throw error
  }
  return machine
}

function machineOn(tree: string, state: string, version: 'v1' | 'v2'): Machine {
  const name = state.slice(STATE_PARENT.length + 1).toLowerCase()
  const consolePath = join(state, 'console')
  let supervisor: ChildProcess | undefined
  let leader: number | undefined

  const ended = async (): Promise<void> => {
    const child = supervisor
    if (child === undefined) return
    const deadline = systemClock.monotonicMs() + STOP_TIMEOUT_MS
    while (child.exitCode === null && child.signalCode === null) {
      if (systemClock.monotonicMs() > deadline) child.kill('SIGKILL')
      await systemClock.sleep(POLL_MS)
    }
    supervisor = undefined
    leader = undefined
    for (const cgroup of await ownCgroups()) await removeCgroup(cgroup)
  }
  const ownCgroups = async (): Promise<string[]> =>
    version === 'v2' ? [await cgroupOf(name)] : (await v1Trees()).map(tree => join(tree, name))

  const exec: Machine['exec'] = (argv, options = {}) => {
    if (leader === undefined) throw new Error(`machine ${name} is not running`)
    const timeoutMs = options.timeoutMs ?? 120_000
    // The unit outlives this end of the pipe: it needs a deadline of its own.
    const deadline = `--property=RuntimeMaxSec=${Math.ceil(timeoutMs / 1000)}`
    const setenv = Object.entries(options.env ?? {}).map(([key, value]) => `--setenv=${key}=${value}`)
    return run({
      argv: [
        ...entering(leader),
        'systemd-run',
        '-q',
        '--pipe',
        '--wait',
        '--collect',
        deadline,
        ...setenv,
        '--',
        ...argv,
      ],
      ...(options.input === undefined ? {} : { input: options.input }),
      timeoutMs: timeoutMs + 5_000,
    })
  }

  return {
    name,
    checkout: '/src',
    consolePath,
    exec,
    sh: (line, options) => exec(['sh', '-c', line], options),
    async boot() {
      if (supervisor !== undefined) throw new Error(`machine ${name} runs already`)
      const output = openSync(consolePath, 'a')
      const script = join(import.meta.dirname, 'machine-boot.sh')
      supervisor = spawn(script, [name, tree, state, CHECKOUT, ...(await ownCgroups())], {
        stdio: ['ignore', output, output],
        detached: true,
        env: { ...process.env, MACHINE_CGROUPS: version },
      })
      closeSync(output)
      try {
        leader = await waitUntilUp(supervisor, consolePath)
        if (version === 'v1') await this.sh(OWN_CONTROLLERS)
        // The one controller that has its home in v2 here.
        else await writeFile(join(await cgroupOf(name), 'cgroup.subtree_control'), '+hugetlb').catch(() => undefined)
      } catch (error) {
        supervisor.kill('SIGKILL')
        await ended()
        throw error
      }
    },
    async crash() {
      if (leader !== undefined) process.kill(leader, 'SIGKILL')
      await ended()
    },
    async poweroff() {
      if (leader !== undefined) await run({ argv: [...entering(leader), 'systemctl', 'poweroff', '--no-wall'] })
      await ended()
    },
    async remove() {
      await this.crash()
      await rm(state, { recursive: true, force: true })
    },
  }
}

/** systemd-nspawn mounts the v1 trees of controllers read-only; systemd has to find out that they no longer are. */
const OWN_CONTROLLERS = `for tree in /sys/fs/cgroup/*/; do mount -o remount,rw,bind "$tree"; done; systemctl daemon-reexec`

const entering = (leader: number): [string, ...string[]] => [
  ...(['nsenter', '-t', String(leader), '-a', '--', 'env', '-i'] as [string, ...string[]]),
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'HOME=/root',
  'LANG=C.UTF-8',
]

/** Waits for systemd inside to report running or degraded; answers its PID as the host sees it. */
async function waitUntilUp(supervisor: ChildProcess, consolePath: string): Promise<number> {
  const deadline = systemClock.monotonicMs() + BOOT_TIMEOUT_MS
  while (systemClock.monotonicMs() < deadline) {
    if (supervisor.exitCode !== null || supervisor.signalCode !== null) break
    const leader = supervisor.pid === undefined ? undefined : await initBelow(supervisor.pid)
    if (leader !== undefined) {
      const state = await run({ argv: [...entering(leader), 'systemctl', 'is-system-running'] })
      if (['running', 'degraded'].includes(state.stdout.trim())) return leader
    }
    await systemClock.sleep(POLL_MS)
  }
  const output = await readFile(consolePath, 'utf8').catch(() => '')
  throw new Error(`the test machine did not come up; its console ends with:\n${output.slice(-2000)}`)
}

/** The child of systemd-nspawn that is PID 1 of its own PID namespace and has become systemd. */
async function initBelow(supervisor: number): Promise<number | undefined> {
  const children = await readFile(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8').catch(() => '')
  for (const pid of children.split(' ').filter(text => text !== '')) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    if (/^Name:\s+systemd$/m.test(status) && /^NSpid:.*\s1$/m.test(status)) return Number(pid)
  }
  return undefined
}

/** The machine's own v2 cgroup: the kernel's unified tree, wherever this host mounts it, or where only we see it. */
async function cgroupOf(name: string): Promise<string> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map(line => line.split(' '))
  const unified = mounts.find(fields => fields[2] === 'cgroup2')?.[1] ?? (await privateUnified())
  return join(unified, name)
}

/** Where this host has its v1 trees. */
async function v1Trees(): Promise<string[]> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map(line => line.split(' '))
  return mounts.flatMap(([, at = '', type]) => (type === 'cgroup' ? [at] : []))
}

/** Why a machine of cgroup v1 cannot limit memory here; undefined when it can. */
export async function v1MemoryLack(): Promise<string | undefined> {
  const hasMemory = (await v1Trees()).some(tree => existsSync(join(tree, 'memory.limit_in_bytes')))
  return hasMemory ? undefined : 'this host has its memory controller in cgroup v2'
}

let holder: ChildProcess | undefined

/**
 * The v2 tree on a host that has it mounted nowhere (pure v1, as some virtual machines are): in the mount namespace of
 * a process that does nothing else and ends with this one. Mounted for all, it would change what other tests see.
 */
async function privateUnified(): Promise<string> {
  if (holder === undefined) {
    const script = 'mount -t cgroup2 none /mnt && echo mounted && exec sleep infinity'
    const argv = ['--mount', '--propagation', 'private', 'setpriv', '--pdeathsig', 'KILL', 'sh', '-c', script]
    const process = spawn('unshare', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise<void>((resolve, reject) => {
      process.stdout.once('data', () => resolve())
      process.once('exit', code => reject(new Error(`cgroup v2 cannot be mounted here: exit code ${code}`)))
    })
    // Neither the process nor its pipe may keep a finished test run alive.
    process.unref()
    process.stdout.destroy()
    holder = process
  }
  return `/proc/${holder.pid}/root/mnt`
}

/** Removes a cgroup with everything below it; processes that are still inside are killed first. */
async function removeCgroup(path: string): Promise<void> {
  await writeFile(join(path, 'cgroup.kill'), '1').catch(() => undefined)
  const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) if (entry.isDirectory()) await removeCgroup(join(path, entry.name))
  for (let attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
    const isGone = await rmdir(path).then(
      () => true,
      error => (error as NodeJS.ErrnoException).code !== 'EBUSY',
    )
    if (isGone) return
    await systemClock.sleep(POLL_MS)
  }
}

/** What is left of machines whose test was killed: the console died with it, systemd inside and the disk did not. */
async function sweepAbandoned(): Promise<void> {
  const cgroups = await readdir(dirname(await cgroupOf('any')))
  const states = await readdir(STATE_PARENT)
  const known = new Map([...cgroups, ...states].map(entry => [entry.toLowerCase(), entry]))
  for (const entry of known.values()) {
    const owner = new RegExp(`^${STATE_PREFIX}(\\d+)-`).exec(entry)?.[1]
    if (owner === undefined || (await isAlive(Number(owner)))) continue
    const name = entry.toLowerCase()
    for (const cgroup of [await cgroupOf(name), ...(await v1Trees()).map(tree => join(tree, name))]) {
      await removeCgroup(cgroup)
    }
    await rm(join(STATE_PARENT, entry), { recursive: true, force: true })
  }
}

async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return /^State:\s+[^ZX]/m.test(status)
}
