/** Operations that look into containers: their files, their processes, what they use. Loaded when first asked for. */
import type { EngineContext } from '../context.ts'
import type { Inside } from './types.ts'

export { descriptorNames } from './descriptors.ts'
export { importVolume } from './import.ts'
export type * from './types.ts'

/** The operations, bound to one engine. */
export function openInside(context: EngineContext): Inside {
  const roots = () => import('./mount.ts')
  const artifacts = () => import('./artifacts.ts')
  return {
    copy: async (...asked) => (await import('./copy.ts')).copy(context, ...asked),
    mount: async nameOrId => (await roots()).mount(context, nameOrId),
    mounts: async () => (await roots()).mounts(context),
    unmount: async (...asked) => (await roots()).unmount(context, ...asked),
    unmountAll: async how => (await roots()).unmountAll(context, how),
    exportRoot: async (...asked) => (await roots()).exportRoot(context, ...asked),
    exportVolume: async (...asked) => (await import('./volume-archive.ts')).exportVolume(context, ...asked),
    importIntoVolume: async (...asked) => (await import('./volume-archive.ts')).importIntoVolume(context, ...asked),
    diff: async nameOrId => (await roots()).diff(context, nameOrId),
    commit: async (...asked) => (await import('./commit.ts')).commit(context, ...asked),
    top: async (...asked) => (await import('./top.ts')).top(context, ...asked),
    topPod: async (...asked) => (await import('./top.ts')).topPod(context, ...asked),
    stats: async request => (await import('./stats.ts')).stats(context, request),
    addArtifact: async (...asked) => (await artifacts()).addArtifact(context, ...asked),
    getArtifact: async (...asked) => (await artifacts()).getArtifact(context, ...asked),
    listArtifacts: async nameOrId => (await artifacts()).listArtifacts(context, nameOrId),
    removeArtifact: async (...asked) => (await artifacts()).removeArtifact(context, ...asked),
  }
}
