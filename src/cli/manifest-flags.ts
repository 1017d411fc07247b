/** Flags of every verb that translates manifests. */
import { resolve } from 'node:path'
import type { TranslateOptions } from '../kube/index.ts'
import type { FlagTable, FlagValues } from './flags.ts'

export const MANIFEST_FLAGS = {
  'allow-unsupported': {
    kind: 'switch',
    initial: false,
    help: 'keep probes and hooks, which nothing runs yet, instead of refusing them',
  },
  'allowed-unsafe-sysctls': {
    kind: 'list',
    value: 'NAME',
    comma: true,
    help: 'allow kernel parameters that are not safe by themselves; net.core.* stands for many',
  },
  'seccomp-profile-root': {
    kind: 'text',
    value: 'DIR',
    help: 'where profiles of type Localhost are (default /var/lib/kubelet/seccomp)',
  },
} as const satisfies FlagTable

type Wishes = Pick<TranslateOptions, 'allowUnsupported' | 'seccompRoot' | 'unsafeSysctls'>

/** What the flags mean for the translator; a relative directory begins at `cwd`. */
export function manifestOptions(flags: FlagValues<typeof MANIFEST_FLAGS>, cwd: string): Wishes {
  const root = flags['seccomp-profile-root']
  return {
    allowUnsupported: flags['allow-unsupported'],
    unsafeSysctls: flags['allowed-unsafe-sysctls'].flatMap(text => text.split(',')).filter(Boolean),
    ...(root !== undefined && { seccompRoot: resolve(cwd, root) }),
  }
}
