/** Changes of rows: which columns of a pod or of a container may be written after they were made. */
import type { PodSpec } from '../../model.ts'
import type { ContainerGoal, ContainerState, FailedCheck, Health, PodFailure } from '../types/index.ts'
import type { PodRecord, PodSettings } from './records.ts'
import type { Transaction, Value } from './store.ts'

const COLUMN: { [K in keyof ContainerPatch]-?: string } = {
  imageId: 'image_id',
  goal: 'goal',
  state: 'state',
  boot: 'boot',
  pid: 'pid',
  pidStart: 'pid_start',
  monitorPid: 'monitor_pid',
  monitorStart: 'monitor_start',
  restarts: 'restarts',
  crashes: 'crashes',
  killed: 'killed',
  name: 'name',
  startedMs: 'started_ms',
  finishedMs: 'finished_ms',
  exitCode: 'exit_code',
  reason: 'reason',
  message: 'message',
  command: 'command',
  stopSignal: 'stop_signal',
  started: 'started',
  ready: 'ready',
  hooked: 'hooked',
  health: 'health',
  failedCheck: 'failed_check',
}

/** What may change of a container; null clears. */
export type ContainerPatch = {
  imageId?: string
  goal?: ContainerGoal
  state?: ContainerState
  boot?: string | null
  pid?: number | null
  pidStart?: string | null
  monitorPid?: number | null
  monitorStart?: string | null
  restarts?: number
  crashes?: number
  killed?: boolean
  name?: string
  startedMs?: number | null
  finishedMs?: number | null
  exitCode?: number | null
  reason?: string
  message?: string
  command?: string[]
  stopSignal?: string
  started?: boolean
  ready?: boolean
  hooked?: boolean
  health?: Health | null
  failedCheck?: FailedCheck | null
}

/** Changes the given columns of one container; an absent key leaves its column alone. */
export async function updateContainer(tx: Transaction, id: string, patch: ContainerPatch): Promise<void> {
  await update(tx, 'container', id, COLUMN, patch)
}

async function update<Patch extends object>(
  tx: Transaction,
  table: 'container' | 'pod',
  id: string,
  columns: { [K in keyof Patch]-?: string },
  patch: Patch,
): Promise<void> {
  const keys = Object.keys(patch) as (keyof Patch)[]
  if (keys.length === 0) return
  const values = keys.map((key): Value => {
    const value = patch[key] as string | number | boolean | object | null | undefined
    if (typeof value === 'boolean') return value ? 1 : 0
    return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value ?? null)
  })
  await tx.run(`UPDATE ${table} SET ${keys.map(key => `${columns[key]} = ?`).join(', ')} WHERE id = ?`, [...values, id])
}

const POD_COLUMN: { [K in keyof PodPatch]-?: string } = {
  goal: 'goal',
  complete: 'complete',
  startedMs: 'started_ms',
  wakeMs: 'wake_ms',
  activeMs: 'active_ms',
  failure: 'failure',
  failureMessage: 'failure_message',
  failedMs: 'failed_ms',
  settings: 'settings',
  spec: 'spec',
}

/** What may change of a pod; null clears. */
export type PodPatch = {
  goal?: PodRecord['goal']
  complete?: boolean
  startedMs?: number
  wakeMs?: number | null
  activeMs?: number
  failure?: PodFailure | null
  failureMessage?: string | null
  failedMs?: number | null
  settings?: PodSettings
  /** Only what is looked up in it whenever it is needed may be another one. */
  spec?: PodSpec
}

/** Changes the given columns of one pod; an absent key leaves its column alone. */
export async function updatePod(tx: Transaction, id: string, patch: PodPatch): Promise<void> {
  await update(tx, 'pod', id, POD_COLUMN, patch)
}
