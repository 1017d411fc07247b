import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { readHostFacts } from '../../../src/oci/index.ts'
import { run } from '../../../src/process.ts'

const PROGRAM = join(import.meta.dirname, 'lifecycle.ts')
type Report = {
  facts: { cgroup: string }
  runtime: { name: string }
  verdict: { is: string; exit: { code: number } }
  monitorFiles: string[]
  log: string[]
}

/** Runs the program behind a line of shell that ends in `exec "$@"`. */
async function lifecycle(prepare: string, runtime: string[]): Promise<Report> {
  const program = [process.execPath, '--disable-warning=ExperimentalWarning', PROGRAM, ...runtime]
  const finished = await run({
    argv: ['unshare', '--mount', 'bash', '-c', `${prepare}; exec "$@"`, 'bash', ...program],
  })
  // All of what Node says of an error, not its last line.
  if (finished.exitCode !== 0) throw new Error(finished.stderr)
  return JSON.parse(finished.stdout) as Report
}

const WITHOUT_UNIFIED = 'umount /sys/fs/cgroup/unified 2>/dev/null || true'
/** On a host with pure v2 there is no v1 view to make; crun is then tested as it is. */
const isV2 = (await readHostFacts()).cgroup === 'v2'

describe('crun, in a view of the cgroups it accepts', () => {
  test('is chosen by itself, and a container lives and ends', async () => {
    const report = await lifecycle(WITHOUT_UNIFIED, [])
    expect(report.facts.cgroup).toBe(isV2 ? 'v2' : 'v1')
    expect(report.runtime.name).toBe('crun')
    expect(report.verdict).toMatchObject({ is: 'exited', exit: { code: 5 } })
  })
})

test('runc in the host’s own view', async () => {
  const report = await lifecycle('true', ['runc'])
  expect(report.runtime.name).toBe('runc')
  expect(report.verdict).toMatchObject({ is: 'exited', exit: { code: 5 } })
})

test('descriptors a careless parent left open reach neither conmon nor the container', async () => {
  const report = await lifecycle('exec 7</etc/hostname 30</etc/os-release 250</etc/passwd', ['runc'])
  expect(report.monitorFiles.filter(target => target.startsWith('/etc'))).toEqual([])
  const inside = report.log.filter(line => line.includes(' -> '))
  expect(inside.map(line => / (\d+) -> /.exec(line)?.[1])).toEqual(['0', '1', '2'])
})
