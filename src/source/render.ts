/** A kustomization, built by kustomize. */
import { renderFailure } from './failure.ts'
import type { KeptTree } from './store.ts'
import type { SourceDoors } from './types.ts'

/** Throws SOURCE_RENDER. */
export async function render(_: KeptTree, kustomization: string, where: string, __: SourceDoors): Promise<never> {
  throw renderFailure(`${where}: ${kustomization} cannot be built yet`, 'commit what kustomize makes of it')
}
