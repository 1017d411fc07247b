/** The engine: pods and containers from intent to kernel and back. */

export { openEngine } from './engine.ts'
export { DEFAULT_DETACH_KEYS, parseDetachKeys } from './exec/index.ts'
export type { CheckedFinding, CheckReport } from './fsck/index.ts'
export * from './inside/index.ts'
export { emptyPodSpec, PLAIN_OPTIONS } from './play/index.ts'
export { type SetAside, setAside } from './state/index.ts'
export type * from './types/index.ts'
