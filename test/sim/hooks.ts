/** Puts doors.ts in the place of every module through which the engine touches the host. To be called before it loads. */
import { registerHooks } from 'node:module'

const SRC = new URL('../../src/', import.meta.url).href
const DOORS = new URL('./doors.ts', import.meta.url).href
const ENGINE = `${SRC}engine/`

/** Below src; imported by any module of the engine. */
const REPLACED = new Set(
  [
    'oci/index.ts',
    'files.ts',
    'random.ts',
    'engine/run/bundle.ts',
    'engine/run/hold.ts',
    'engine/state/copies.ts',
    'engine/state/backup.ts',
    'engine/state/lock.ts',
    'engine/run/sandbox.ts',
    'engine/run/strays.ts',
    'engine/timekeeper.ts',
    'engine/prober.ts',
    'engine/volumes/volumes.ts',
    'engine/plan/index.ts',
  ].map(path => SRC + path),
)

export function replaceDoors(): void {
  registerHooks({
    resolve: (specifier, context, next) => {
      const found = next(specifier, context)
      const from = context.parentURL ?? ''
      if (!from.startsWith(ENGINE) || from.startsWith(`${ENGINE}plan/`)) return found
      const replaced = REPLACED.has(found.url) || (specifier === 'node:fs' && from === `${ENGINE}run/observe.ts`)
      return replaced ? { ...found, url: DOORS, format: 'module-typescript' } : found
    },
  })
}
