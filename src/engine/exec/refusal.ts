/** What a runtime says of a command that it did not run. */
import { TspodError } from '../../errors.ts'
import { lastMessage } from '../../oci/index.ts'
import type { ExecRequest } from '../types/index.ts'

/** Why there was no command to run, by the runtime's log; undefined when it says nothing against it. */
export function refusalIn(log: string, request: Pick<ExecRequest, 'args'>): TspodError | undefined {
  const said = lastMessage(log)
  if (said === '') return undefined
  const command = request.args[0] ?? ''
  // The runtime lacks something of the container's own, such as its cgroup: the command is not to blame.
  const aboutHost = /\/sys\/fs\/cgroup/.test(said)
  if (!aboutHost && /not found|no such file/i.test(said)) {
    return new TspodError('EXEC_NOT_FOUND', `the container has no program "${command}": ${said}`, {
      remedy: 'check the command and its path',
    })
  }
  if (!aboutHost && /permission denied|open executable|exec format error|is a directory/i.test(said)) {
    return new TspodError('EXEC_CANNOT_INVOKE', `"${command}" cannot be run: ${said}`, {
      remedy: 'check its mode and the user (-u)',
    })
  }
  if (/level":"(warning|info)/.test(log.split('\n').filter(Boolean).at(-1) ?? '')) return undefined
  return new TspodError('START_FAILED', said, {
    remedy: aboutHost
      ? 'somebody has taken its cgroup away: `tspod restart` gives it a new one'
      : 'see tspod inspect for the container, and tspod doctor for the host',
  })
}
