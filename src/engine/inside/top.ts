/** `top` and `pod top`: the processes of running containers. */
import { TspodError } from '../../errors.ts'
import { readBeneath } from '../../files.ts'
import { type OciConfig, parseGroup, parsePasswd, readProcesses } from '../../oci/index.ts'
import type { EngineContext } from '../context.ts'
import { configOf } from '../play/index.ts'
import type { ContainerView } from '../types/index.ts'
import { find } from '../view/index.ts'
import { columnsOf, type IdNames, type Names } from './descriptors.ts'
import { processOf, subjectOf } from './subject.ts'
import type { ProcessTable } from './types.ts'

/**
 * The processes of a container, as its own PID namespace numbers them.
 * @throws NO_SUCH_OBJECT, USAGE for an unknown descriptor, WRONG_STATE in Podman's words when it does not run.
 */
export async function top(
  context: EngineContext,
  nameOrId: string,
  descriptors: readonly string[],
): Promise<ProcessTable> {
  const columns = columnsOf(descriptors)
  const { container } = await subjectOf(context, nameOrId)
  if (!isUp(container)) {
    throw new TspodError('WRONG_STATE', 'top can only be used on running containers', {
      remedy: `${container.name} is ${container.state}; see tspod ps -a`,
    })
  }
  return { header: columns.header, rows: await rowsOf(context, container, columns) }
}

/**
 * The processes of all running containers of a pod, container by container.
 * @throws NO_SUCH_OBJECT, USAGE for an unknown descriptor, WRONG_STATE when none of them runs.
 */
export async function topPod(
  context: EngineContext,
  nameOrId: string,
  descriptors: readonly string[],
): Promise<ProcessTable> {
  const columns = columnsOf(descriptors)
  const { pod } = await find(context, nameOrId)
  const running = pod.containers.filter(isUp)
  if (running.length === 0) {
    throw new TspodError('WRONG_STATE', `pod ${pod.name} has no running containers: pod state improper`, {
      remedy: 'see tspod ps -a',
    })
  }
  const rows = await Promise.all(running.map(container => rowsOf(context, container, columns)))
  return { header: columns.header, rows: rows.flat() }
}

const isUp = ({ state }: ContainerView): boolean => state === 'running' || state === 'paused' || state === 'stopping'

async function rowsOf(
  context: EngineContext,
  container: ContainerView,
  columns: ReturnType<typeof columnsOf>,
): Promise<string[][]> {
  const [pid, config] = [processOf(container), await configOf(context, container.id)]
  if (pid === undefined || config === undefined) return []
  const names = namesFor(config)
  const nowMs = context.clock.nowMs()
  const processes = readProcesses(context.hierarchies, config.linux.cgroupsPath, pid)
  return processes.map(process => columns.cells(process, names, nowMs))
}

const MAX_LIST_BYTES = 1024 * 1024

/** By the files alone: getpwnam(3) would load libraries that a file of the container may name. */
function namesFor(config: OciConfig): Names {
  const text = (root: string, file: string): string => {
    try {
      return readBeneath(root, file, MAX_LIST_BYTES)?.toString('utf8') ?? ''
    } catch {
      // A file that cannot be used gives no names; ids serve as well.
      return ''
    }
  }
  const users = (root: string): IdNames =>
    new Map(
      parsePasswd(text(root, 'etc/passwd'))
        .toReversed()
        .map(({ uid, name }) => [uid, name]),
    )
  const groups = (root: string): IdNames =>
    new Map(
      parseGroup(text(root, 'etc/group'))
        .toReversed()
        .map(({ gid, name }) => [gid, name]),
    )
  const { path } = config.root
  return { user: users(path), group: groups(path), hostUser: users('/'), hostGroup: groups('/') }
}
