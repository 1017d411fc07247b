/** Whether this host can build kustomizations. */
import { FIXED_PATH, run } from '../../src/process.ts'
import { findProgramIn } from '../../src/programs.ts'

/** What is missing for it; undefined when nothing is. Old ones know no `resources` that are directories: Debian 12's. */
export async function kustomizeLacks(): Promise<string | undefined> {
  const program = ['kustomize', 'kubectl'].find(name => findProgramIn(FIXED_PATH, name) !== undefined)
  if (program === undefined) return 'neither kustomize nor kubectl is here'
  const args = program === 'kubectl' ? ['version', '--client'] : ['version']
  const { stdout } = await run({ argv: [program, ...args] })
  return /v?(?:[4-9]|\d\d)\.\d+\.\d+\s*$/m.test(stdout) ? undefined : `${program} has a kustomize that is older than 4`
}
