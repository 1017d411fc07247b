/** `tspod network …`: networks that pods may join with `kube play --network`. */
export { networkCreate } from './create.ts'
export { networkInspect, networkLs } from './ls.ts'
export { networkRm } from './rm.ts'
