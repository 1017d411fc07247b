/** Units over D-Bus, of the system or of a user: what systemctl does, without systemctl. */
import { type Clock, kernelMicroseconds } from '../clock.ts'
import { TspodError } from '../errors.ts'
import { type Bus, BusError, openBus, userBusSocket } from './bus.ts'
import { MANAGER, openJobs } from './jobs.ts'
import { startTimer, type TimerRequest } from './timer.ts'

export type UnitAction = 'start' | 'stop' | 'restart' | 'reload'

/** A link that was made or removed below systemd's folders. */
export type UnitLink = { kind: string; path: string; target: string }

/** What systemd knows of a unit; empty strings and no numbers for what there is none of. */
export type UnitState = {
  unit: string
  description: string
  /** loaded, not-found, masked, bad-setting, error. */
  load: string
  /** Why it is not loaded. */
  loadError: string
  /** active, reloading, inactive, failed, activating, deactivating. */
  active: string
  sub: string
  /** enabled, disabled, masked, static, … */
  enabled: string
  /** The unit's own file and what adds to it. */
  fragment: string
  dropIns: string[]
  /** Files have changed since systemd read them. */
  stale: boolean
  sinceMs?: number
  mainPid?: number
  /** success, exit-code, timeout, signal, …: how the last run ended. */
  result: string
  exitStatus?: number
  /** What the service says of itself. */
  status: string
  cgroup: string
  memoryBytes?: number
  tasks?: number
  /** Of the current or last run, in hexadecimal. */
  invocation: string
}

export type ListedUnit = Pick<UnitState, 'unit' | 'description' | 'load' | 'active' | 'sub'>

export type Units = {
  /**
   * Does it and waits for the result. Stopping what is not loaded is success. Throws COMMAND_FAILED with the reason,
   * NOT_ROOT when systemd does not let us, HOST_LACKS when it cannot be reached.
   */
  act(action: UnitAction, unit: string, signal: AbortSignal): Promise<void>
  /** Makes the links by which systemd starts units at boot, and has it read them. */
  enable(units: readonly string[]): Promise<UnitLink[]>
  disable(units: readonly string[]): Promise<UnitLink[]>
  /** Has systemd read its files again. */
  reload(): Promise<void>
  show(unit: string): Promise<UnitState>
  /**
   * Has systemd start a unit at a time, by a timer of that name which is gone afterwards, or with the next boot. One of
   * that name that waits already is put in its place.
   */
  startAt(request: TimerRequest): Promise<void>
  /** When a timer elapses next; undefined while it does not wait for that. */
  nextElapse(timer: string): Promise<number | undefined>
  /** The loaded units whose names match a pattern of fnmatch(3). */
  list(pattern: string): Promise<ListedUnit[]>
  close(): void
}

/** Whose systemd: the host's, or that of the user with this number. */
export type Scope = 'system' | { uid: number }

type Connect = (clock: Clock, socket?: string) => Promise<Bus>

const METHOD: Readonly<Record<UnitAction, string>> = {
  start: 'StartUnit',
  stop: 'StopUnit',
  restart: 'RestartUnit',
  reload: 'ReloadUnit',
}

const NO_SUCH_UNIT = 'org.freedesktop.systemd1.NoSuchUnit'
const DENIED = [
  'org.freedesktop.DBus.Error.AccessDenied',
  'org.freedesktop.DBus.Error.InteractiveAuthorizationRequired',
]

/** What a job's result means, for people; see JobRemoved in org.freedesktop.systemd1(5). */
const RESULTS: Readonly<Record<string, string>> = {
  canceled: 'it was called off, by a later job for the same unit',
  timeout: 'it took too long',
  failed: 'it failed',
  dependency: 'a unit that it needs did not start',
  skipped: 'it does not apply in the state the unit is in',
  assert: 'an assertion of the unit does not hold',
  unsupported: 'this host does not support units of that kind',
  once: 'it starts only once in a boot, and has',
}

/** Units of one systemd. Nothing is loaded or connected before the first call. */
export function openUnits(clock: Clock, scope: Scope, connect: Connect = openBus): Units {
  const jobs = openJobs(clock, () => (scope === 'system' ? connect(clock) : connect(clock, userBusSocket(scope.uid))))

  async function call(member: string, signature: string, body: unknown[], unit = ''): Promise<unknown[]> {
    const bus = await jobs.connect()
    try {
      return await bus.call({ ...MANAGER, member, signature, body })
    } catch (error) {
      throw refused(member, unit, error)
    }
  }

  async function properties(path: string, name: string): Promise<Properties> {
    const bus = await jobs.connect()
    const where = { destination: MANAGER.destination, path, interface: 'org.freedesktop.DBus.Properties' }
    const [all] = await bus.call({
      ...where,
      member: 'GetAll',
      signature: 's',
      body: [`${MANAGER.destination}.${name}`],
    })
    return all as Properties
  }

  const show = async (unit: string): Promise<UnitState> => {
    const [path] = await call('LoadUnit', 's', [unit], unit)
    const kind = unit.slice(unit.lastIndexOf('.') + 1)
    const [general, own] = await Promise.all([
      properties(String(path), 'Unit'),
      properties(String(path), `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`),
    ])
    return unitState(unit, { ...own, ...general })
  }

  const nextElapse = async (timer: string): Promise<number | undefined> => {
    const [path] = await call('LoadUnit', 's', [timer], timer)
    return nextIn(await properties(String(path), 'Timer'), clock.nowMs())
  }

  const linked = async (member: string, body: unknown[], signature: string): Promise<UnitLink[]> => {
    const changes = (await call(member, signature, body)).at(-1) as [string, string, string][]
    await call('Reload', '', [])
    return changes.map(([kind, path, target]) => ({ kind, path, target }))
  }

  const act: Units['act'] = async (action, unit, signal) => {
    let result: string
    try {
      result = await jobs.run(METHOD[action], 'ss', [unit, 'replace'], { signal })
    } catch (error) {
      if (action === 'stop' && error instanceof BusError && error.type === NO_SUCH_UNIT) return
      throw refused(action, unit, error)
    }
    // A start that is done may have failed by now: the unit itself says so.
    if (result === 'done') return
    const state = await show(unit)
    const isThere = action === 'stop' ? state.active === 'inactive' : state.active === 'active'
    if (result === 'lost' && isThere) return
    throw jobFailed(action, state, RESULTS[result] ?? `its job ended with "${result}"`)
  }

  return {
    act,
    enable: units => linked('EnableUnitFiles', [[...units], false, false], 'asbb'),
    disable: units => linked('DisableUnitFiles', [[...units], false], 'asb'),
    reload: async () => void (await call('Reload', '', [])),
    show,
    startAt: async request => {
      await act('stop', `${request.name}.timer`, new AbortController().signal)
      await startTimer(jobs, request).catch(error => Promise.reject(refused('start', `${request.name}.timer`, error)))
    },
    nextElapse,
    async list(pattern) {
      const [rows] = await call('ListUnitsByPatterns', 'asas', [[], [pattern]])
      return (rows as string[][]).map(listedUnit)
    },
    close: jobs.close,
  }
}

type Properties = Readonly<Record<string, { value: unknown } | undefined>>

const listedUnit = ([unit = '', description = '', load = '', active = '', sub = '']: string[]): ListedUnit => ({
  unit,
  description,
  load,
  active,
  sub,
})

/** Systemd's way to say "no such number": all ones. */
const NO_NUMBER = 2 ** 64 - 1

/** The sooner of a timer's clocks as wall time. */
function nextIn(
  { NextElapseUSecRealtime: wall, NextElapseUSecMonotonic: kernel }: Properties,
  nowMs: number,
): number | undefined {
  const [sinceEpoch, sinceBoot] = [wall, kernel].map(property => Number(property?.value ?? 0)) as [number, number]
  if (sinceEpoch > 0 && sinceEpoch < NO_NUMBER) return Math.floor(sinceEpoch / 1000)
  if (sinceBoot === 0 || sinceBoot >= NO_NUMBER) return undefined
  return nowMs + Math.floor((sinceBoot - Number(kernelMicroseconds())) / 1000)
}

/** A unit's properties as data. Pure. */
export function unitState(unit: string, all: Properties): UnitState {
  const text = (name: string): string => String(all[name]?.value ?? '')
  const number = (name: string): number | undefined => {
    const value = Number(all[name]?.value ?? 0)
    return value === 0 || value >= NO_NUMBER ? undefined : value
  }
  const optional = {
    sinceMs: number('StateChangeTimestamp'),
    mainPid: number('MainPID'),
    exitStatus: number('ExecMainStatus'),
    memoryBytes: number('MemoryCurrent'),
    tasks: number('TasksCurrent'),
  }
  if (optional.sinceMs !== undefined) optional.sinceMs = Math.floor(optional.sinceMs / 1000)
  const [, loadError = ''] = (all.LoadError?.value ?? []) as string[]
  return {
    unit,
    description: text('Description'),
    load: text('LoadState'),
    loadError,
    active: text('ActiveState'),
    sub: text('SubState'),
    enabled: text('UnitFileState'),
    fragment: text('FragmentPath'),
    dropIns: ((all.DropInPaths?.value ?? []) as unknown[]).map(String),
    stale: all.NeedDaemonReload?.value === true,
    result: text('Result'),
    status: text('StatusText'),
    cgroup: text('ControlGroup'),
    invocation: Buffer.from((all.InvocationID?.value ?? []) as Uint8Array).toString('hex'),
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<
      Record<keyof typeof optional, number>
    >),
  }
}

/** What systemd answered in the place of a reply, for people. */
function refused(what: string, unit: string, error: unknown): unknown {
  if (!(error instanceof BusError)) return error
  const about = unit === '' ? what : `${what} ${unit}`
  if (DENIED.includes(error.type)) {
    return new TspodError('NOT_ROOT', `systemd does not let this user do it: ${about}`, {
      remedy: 'run it with sudo, or use --user for units of your own',
      cause: error,
    })
  }
  return new TspodError('COMMAND_FAILED', `systemd: ${about}: ${error.message}`, {
    remedy: unit === '' ? 'see journalctl -b _PID=1' : `look at \`systemctl status ${unit}\``,
    cause: error,
  })
}

/** In words, why a unit is as it is. */
export function reasonOf({ load, loadError, result, exitStatus, status }: UnitState): string {
  if (load !== 'loaded') return loadError === '' ? `the unit is ${load}` : loadError
  const said = status === '' ? '' : `; it says: ${status}`
  if (result === 'exit-code') return `its process ended with ${exitStatus ?? 'a failure'}${said}`
  if (result === 'timeout') return `it took too long${said}`
  return result === '' || result === 'success' ? status : `${result}${said}`
}

function jobFailed(action: UnitAction, state: UnitState, why: string): TspodError {
  // Of a reload that failed the unit itself knows nothing.
  const reason = state.load === 'loaded' && state.result === 'success' ? '' : reasonOf(state)
  return new TspodError('COMMAND_FAILED', `${action} ${state.unit}: ${why}${reason === '' ? '' : `: ${reason}`}`, {
    remedy: `look at \`systemctl status ${state.unit}\` and \`journalctl -b -u ${state.unit}\``,
  })
}
