/** How a service stands, in the one line that `systemctl status` has for it. */
import { processStart } from '../files.ts'
import { tellFor } from '../syscalls.ts'
import { oneLine } from '../systemd/index.ts'
import type { EngineContext } from './context.ts'
import type { PodRecord } from './state/index.ts'
import type { ContainerKind, ContainerState } from './types/index.ts'

type Member = { name: string; kind: ContainerKind; state: ContainerState; exitCode?: number | undefined }

/** So many names fit on the line. */
const MAX_NAMES = 3

/**
 * Says how many of the containers that serve do so, of the others which are awaited and how the rest ended, and whose
 * word it waits for. Pure.
 */
export function standingText(members: readonly Member[], unready: readonly string[] = []): string {
  const serving = members.filter(({ kind }) => kind === 'regular' || kind === 'sidecar')
  const up = serving.filter(({ state }) => state === 'running')
  const others = serving.filter(({ state }) => state !== 'running')
  const awaited = others.filter(({ state }) => state === 'configured' || state === 'created').map(({ name }) => name)
  const ended = others.filter(({ name }) => !awaited.includes(name)).map(endOf)
  const parts = [`${up.length}/${serving.length} containers up`]
  if (awaited.length > 0) parts.push(`waiting for ${listed(awaited)}`)
  if (ended.length > 0) parts.push(listed(ended))
  if (unready.length > 0) parts.push(`waiting for ${listed(unready)} to be ready`)
  return parts.join('; ')
}

const endOf = ({ name, state, exitCode }: Member): string =>
  state === 'exited' && exitCode !== undefined ? `${name} exited with code ${exitCode}` : `${name} is ${state}`

const listed = (names: readonly string[]): string =>
  names.length <= MAX_NAMES
    ? names.join(', ')
    : `${names.slice(0, MAX_NAMES).join(', ')} and ${names.length - MAX_NAMES} more`

/**
 * Tells systemd how the service stands now, where a unit played it. Whoever looks after a pod is not always in the
 * unit (a person's shell, the timekeeper): it is said in the name of the process that stands for the service.
 */
export async function tellStanding({ store }: EngineContext, service: PodRecord): Promise<void> {
  const socket = service.settings.unit?.notify
  if (socket === undefined) return
  const [[main], rows] = await Promise.all([
    store.all("SELECT monitor_pid AS pid, monitor_start AS start FROM container WHERE pod = ? AND state = 'running'", [
      service.id,
    ]),
    store.all(
      `SELECT container.name, container.kind, container.state, exit_code FROM container JOIN pod ON container.pod = pod.id
       WHERE pod.service = ? ORDER BY pod.created_ms, pod.name, container.ordinal`,
      [service.id],
    ),
  ])
  // Said in the name of another process it would be taken for that one's unit.
  if (typeof main?.pid !== 'number' || processStart(main.pid) !== main.start) return
  const members = rows.map(row => ({
    name: String(row.name),
    kind: String(row.kind) as ContainerKind,
    state: String(row.state) as ContainerState,
    exitCode: row.exit_code === null ? undefined : Number(row.exit_code),
  }))
  tellFor(main.pid, socket, `STATUS=${oneLine(standingText(members))}`)
}
