/** The engine: pods and containers from intent to kernel and back. */
export { DEFAULT_DETACH_KEYS, parseDetachKeys } from './detach-keys.ts'
export { emptyPodSpec } from './empty-pod.ts'
export { openEngine } from './engine.ts'
export type { CheckedFinding, CheckReport } from './fsck/index.ts'
export * from './inside/index.ts'
export type * from './types.ts'
