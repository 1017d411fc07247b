/** `tspod secret …`: Secrets of manifests that are on record. */
export { secretInspect } from './inspect.ts'
export { secretLs } from './ls.ts'
export { secretExists, secretRm } from './rm.ts'
