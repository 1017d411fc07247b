/** The verbs about apps: objects of manifests that are applied, compared, listed and taken down together. */
export { apply } from './apply.ts'
export { apps } from './apps.ts'
export { diffManifests } from './diff.ts'
export { down } from './down.ts'
export { APPLY_FLAGS, applyFlagProblems } from './sources.ts'
