/**
 * What was run in containers besides their main process: a row before it starts, its process once that is known, its
 * exit code at the end. Whether a session still runs, the kernel says; an end that nobody saw has no exit code.
 */
import { join } from 'node:path'
import { removeTree } from '../../files.ts'
import type { Id } from '../../model.ts'
import { isAlive, type ProcessId, readExit } from '../../oci/index.ts'
import { containerRunDirectory } from '../../paths.ts'
import { randomHex } from '../../random.ts'
import type { EngineContext } from '../context.ts'
import { eventOf, insertEvents, type NewEvent } from '../events/index.ts'
import type { Row, Transaction } from '../state/index.ts'
import type { ContainerView, ExecSession } from '../types/index.ts'

/** Podman forgets a session this long after its end. */
const KEPT_MS = 5 * 60_000
const KEPT_PER_CONTAINER = 20

type Place = Pick<EngineContext, 'store' | 'boot' | 'paths' | 'clock'>

/** Where one session keeps its files; it goes with the run directory of its container. */
export const sessionDirectory = (place: Pick<Place, 'paths'>, container: string, session: string): string =>
  join(containerRunDirectory(place.paths, container), `exec-${session}`)

/**
 * Records a session that is about to start, and forgets old ones. `owner` counts as its process until `sessionStarted`
 * names the real one. Answers its id.
 */
export async function beginSession(
  place: Place,
  container: ContainerView,
  command: readonly string[],
  owner: ProcessId,
): Promise<string> {
  const id = randomHex(32)
  const forgotten = await place.store.write(async tx => {
    const old = await settle(place, tx, container)
    await tx.run(
      `INSERT INTO exec_session (id, container, command, boot, pid, pid_start, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      [id, container.id, JSON.stringify(command), place.boot, owner.pid, owner.start, place.clock.nowMs()],
    )
    return old
  })
  await Promise.all(forgotten.map(session => removeTree(sessionDirectory(place, container.id, session))))
  return id
}

/** Records the process of a session. */
export async function sessionStarted({ store }: Pick<Place, 'store'>, id: string, process: ProcessId): Promise<void> {
  const sql = 'UPDATE exec_session SET pid = ?, pid_start = ? WHERE id = ? AND finished_ms IS NULL'
  await store.write(tx => tx.run(sql, [process.pid, process.start, id]))
}

/** Records and tells how a session ended that the caller has watched; without `exitCode` nobody knows it. */
export async function sessionEnded(place: Place, container: ContainerView, id: string, exitCode?: number) {
  await place.store.write(async tx => {
    const isNews = await setEnd(tx, id, place.clock.nowMs(), exitCode)
    // A container that is gone took its rows with it.
    const isGone = (await tx.all('SELECT id FROM exec_session WHERE id = ?', [id])).length === 0
    if (isNews || isGone) await insertEvents(tx, [diedEvent(place, container, id, exitCode)])
  })
}

/** Records and tells of the sessions of a container that ended while nobody watched, as far as their monitors know how. */
export async function settleSessions(place: Place, container: ContainerView): Promise<void> {
  await place.store.write(tx => settle(place, tx, container))
}

/** True when the exit code was not known before. */
async function setEnd(tx: Transaction, id: string, finishedMs: number, exitCode: number | undefined): Promise<boolean> {
  const open = await tx.all('SELECT id FROM exec_session WHERE id = ? AND exit_code IS NULL', [id])
  if (open.length === 0) return false
  await tx.run('UPDATE exec_session SET finished_ms = coalesce(finished_ms, ?), exit_code = ? WHERE id = ?', [
    finishedMs,
    exitCode ?? null,
    id,
  ])
  return true
}

function diedEvent(place: Place, container: ContainerView, id: string, exitCode: number | undefined): NewEvent {
  const facts = { execID: id, ...(exitCode !== undefined && { exitCode: String(exitCode) }) }
  return eventOf(place.clock.nowMs(), container, { action: 'exec_died', reason: '', facts })
}

/** The sessions of a container that are kept, oldest first. */
export async function execSessions(place: Place, container: Id): Promise<ExecSession[]> {
  const rows = await place.store.all('SELECT * FROM exec_session WHERE container = ? ORDER BY created_ms, id', [
    container,
  ])
  return rows.map(row => sessionOf(place, row))
}

/** A row and what has become of it meanwhile. */
export function sessionOf(place: Place, row: Row): ExecSession {
  const id = String(row.id)
  const session: ExecSession = {
    id,
    command: JSON.parse(String(row.command)) as string[],
    createdMs: Number(row.created_ms),
    running: false,
    ...(row.finished_ms !== null && { finishedMs: Number(row.finished_ms) }),
    ...(row.exit_code !== null && { exitCode: Number(row.exit_code) }),
  }
  if (session.exitCode !== undefined) return session
  const process = { pid: Number(row.pid), start: String(row.pid_start) }
  const alive = row.boot === place.boot && isAlive(process)
  // Looked for after the process: its monitor writes the file before it ends itself.
  const exit = readExit(sessionDirectory(place, String(row.container), id), String(row.container) as Id)
  if (exit !== undefined) return { ...session, finishedMs: exit.finishedMs, exitCode: exit.code }
  return alive && session.finishedMs === undefined ? { ...session, running: true, pid: process.pid } : session
}

/** Writes down the ends that nobody has, and forgets what is old; answers the ids of those. */
async function settle(place: Place, tx: Transaction, container: ContainerView): Promise<string[]> {
  const nowMs = place.clock.nowMs()
  const rows = await tx.all('SELECT * FROM exec_session WHERE container = ? ORDER BY created_ms DESC, id', [
    container.id,
  ])
  const ended = rows.map(row => sessionOf(place, row)).filter(session => !session.running)
  for (const { id, finishedMs, exitCode } of ended) {
    const isNews = await setEnd(tx, id, finishedMs ?? nowMs, exitCode)
    // An unknown code may be on its way still: whoever watches the session tells of it.
    if (isNews && exitCode !== undefined) await insertEvents(tx, [diedEvent(place, container, id, exitCode)])
  }
  const old = ended.filter(
    ({ finishedMs = nowMs }, index) => index >= KEPT_PER_CONTAINER || nowMs - finishedMs >= KEPT_MS,
  )
  for (const { id } of old) await tx.run('DELETE FROM exec_session WHERE id = ?', [id])
  return old.map(({ id }) => id)
}
