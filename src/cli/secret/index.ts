/** `tspod secret …`: Secrets of manifests that are on record. */
export { secretNamed } from './find.ts'
export { secretInspect } from './inspect.ts'
export { secretLs } from './ls.ts'
export { secretRm } from './rm.ts'
