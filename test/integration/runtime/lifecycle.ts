/**
 * A program: one container's life with the runtime named in argv[2], reported as JSON. Run by tests that need a
 * process of their own: another view of the cgroups, or descriptors inherited from a careless parent.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { isMissing } from '../../../src/errors.ts'
import { readHostFacts } from '../../../src/oci/index.ts'
import { closeInheritedDescriptors } from '../../../src/process.ts'
import { makeLab } from '../../support/container.ts'

/** What a process has open; it may close one while it is looked at. */
function filesOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap(fd => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch (error) {
      if (isMissing(error)) return []
      throw error
    }
  })
}

closeInheritedDescriptors()
const lab = await makeLab(process.argv[2])
try {
  lab.configure('busybox ls -l /proc/self/fd; cat /proc/self/cgroup; exit 5')
  const created = await lab.create()
  const monitorFiles = filesOf(created.conmonPid)
  await lab.start()
  const verdict = await lab.wait(created)
  console.log(
    JSON.stringify({ facts: await readHostFacts(), runtime: lab.runtime, verdict, monitorFiles, log: lab.log() }),
  )
} finally {
  await lab.remove()
}
