/** systemd's manager: is it there, and transient scopes that hold the processes of a pod. */
import { lstatSync } from 'node:fs'
import type { Clock } from '../clock.ts'
import { TspodError } from '../errors.ts'
import type { Run } from '../process.ts'
import { type Bus, BusError, openBus } from './bus.ts'
import { openJobs } from './jobs.ts'

export type ScopeRequest = {
  /** Unit name with its `.scope`. */
  unit: string
  slice: string
  description: string
  /** Moved into the scope; at least one, alive. */
  pids: readonly number[]
}

export type Manager = {
  /** Connects ahead of the first call, so that its caller need not wait for it; a failure is that call's to report. */
  prepare(): void
  /**
   * Starts a delegated transient scope and waits until systemd has made its cgroup. `exists` when a scope of that
   * name is already active: nothing was moved then. Throws COMMAND_FAILED with systemd's reason, HOST_LACKS.
   */
  startScope(request: ScopeRequest): Promise<'started' | 'exists'>
  /** Stops a unit and waits; a unit that is not loaded is success. */
  stopUnit(unit: string): Promise<void>
  close(): void
}

/** True when systemd is this host's init, by the test of sd_booted(3). */
export function systemdPresent(): boolean {
  return lstatSync('/run/systemd/system', { throwIfNoEntry: false })?.isDirectory() === true
}

/**
 * True while systemd shuts this host down. Asked by its own program, which asks systemd itself where there is no bus:
 * that ends early in a shutdown, and a file that tells of one there is not. (The socket of systemd's that needs no bus
 * knows no Hello, with which every client library begins.)
 */
export async function isShuttingDown(run: Run): Promise<boolean> {
  const { stdout } = await run({ argv: ['systemctl', 'is-system-running'] })
  return stdout.trim() === 'stopping'
}

const UNIT_EXISTS = 'org.freedesktop.systemd1.UnitExists'
const NO_SUCH_UNIT = 'org.freedesktop.systemd1.NoSuchUnit'
const JOB_TIMEOUT_MS = 30_000

/** systemd's manager over the system bus. Nothing is loaded or connected before the first call. */
export function openManager(clock: Clock, connect: (clock: Clock) => Promise<Bus> = openBus): Manager {
  const jobs = openJobs(clock, () => connect(clock))

  /** A job that has to end well, and soon. Throws COMMAND_FAILED, HOST_LACKS. */
  async function job(member: string, signature: string, body: unknown[], unit: string): Promise<void> {
    const outcome = await jobs.run(member, signature, body, { timeoutMs: JOB_TIMEOUT_MS })
    if (outcome !== 'done') throw jobFailed(member, unit, `the job ended with "${outcome}"`)
  }

  return {
    prepare: () => void jobs.connect().catch(() => undefined),
    startScope: async request => {
      const { variant } = await jobs.connect()
      const properties = scopeProperties(request).map(([name, type, value]) => [name, variant(type, value)])
      try {
        await job('StartTransientUnit', 'ssa(sv)a(sa(sv))', [request.unit, 'fail', properties, []], request.unit)
        return 'started'
      } catch (error) {
        if (error instanceof BusError && error.type === UNIT_EXISTS) return 'exists'
        throw error instanceof BusError ? jobFailed('StartTransientUnit', request.unit, error.message, error) : error
      }
    },
    stopUnit: async unit => {
      try {
        await job('StopUnit', 'ss', [unit, 'replace'], unit)
      } catch (error) {
        if (error instanceof BusError && error.type === NO_SUCH_UNIT) return
        throw error instanceof BusError ? jobFailed('StopUnit', unit, error.message, error) : error
      }
    },
    close: jobs.close,
  }
}

/**
 * The properties of a pod's scope as name, D-Bus type and value. Pure. Delegated, so that systemd keeps its hands
 * off the cgroups below; collected when it failed as well, so that the name is free again.
 */
export function scopeProperties(request: ScopeRequest): [name: string, type: string, value: unknown][] {
  return [
    ['Description', 's', request.description],
    ['Slice', 's', request.slice],
    ['Delegate', 'b', true],
    ['CollectMode', 's', 'inactive-or-failed'],
    ['PIDs', 'au', [...request.pids]],
  ]
}

const jobFailed = (member: string, unit: string, why: string, cause?: unknown): TspodError =>
  new TspodError('COMMAND_FAILED', `systemd ${member} ${unit}: ${why}`, {
    remedy: `look at \`systemctl status ${unit}\` and \`journalctl -b -u ${unit}\``,
    cause,
  })
