/**
 * A program for the test machine: two containers of one pod, created at the same time in the pod's own systemd scope,
 * reported as JSON. argv[2] names the runtime.
 */
import { readFileSync } from 'node:fs'
import { systemClock } from '../../src/clock.ts'
import type { Id } from '../../src/model.ts'
import {
  cgroupExists,
  containerCgroup,
  enterPod,
  podCgroup,
  readHierarchies,
  removeCgroup,
} from '../../src/oci/index.ts'
import { run } from '../../src/process.ts'
import { openManager, systemdPresent } from '../../src/systemd/index.ts'
import { makeLab } from '../support/container.ts'

const hierarchies = readHierarchies()
const pod = podCgroup({ manager: 'systemd' }, { name: 'scope test', id: 'd'.repeat(64) as Id })
const manager = openManager(systemClock)
const labs = [await makeLab(process.argv[2]), await makeLab(process.argv[2])]
const unitState = async (): Promise<string> => {
  const properties = ['ActiveState', 'Delegate', 'Slice', 'Description'].map(name => `--property=${name}`)
  return (await run({ argv: ['systemctl', 'show', pod.scope!.unit, ...properties] })).stdout
}
/** The v2 line of /proc/PID/cgroup; the kernel below the machine may have v1 trees as well. */
const unifiedPath = (pid: number): string | undefined =>
  /^0::.*$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[0]
const beforeStart = (pid: number): Promise<void> =>
  enterPod(hierarchies, pod, pid, (scope, one) => manager.startScope({ ...scope, pids: [one] }), systemClock)

try {
  for (const [index, lab] of labs.entries()) lab.configure('sleep 60', containerCgroup(pod, `c${index}`))
  const created = await Promise.all(labs.map(lab => lab.create({ beforeStart })))
  for (const lab of labs) await lab.start()
  const report = {
    systemd: systemdPresent(),
    runtime: labs[0]!.runtime,
    scope: await unitState(),
    monitors: created.map(one => unifiedPath(one.conmonPid)),
    containers: created.map(one => unifiedPath(one.pid)),
    again: await manager.startScope({ ...pod.scope!, pids: [process.pid] }),
  }
  await removeCgroup(hierarchies, pod.path, { force: true, keepTop: true, clock: systemClock })
  for (const lab of labs) await lab.remove()
  for (let attempt = 0; attempt < 500 && (await unitState()).includes('=active'); attempt++) await systemClock.sleep(20)
  console.log(
    JSON.stringify({ ...report, after: { scope: await unitState(), cgroup: cgroupExists(hierarchies, pod.path) } }),
  )
} finally {
  for (const lab of labs) await lab.remove()
  manager.close()
}
