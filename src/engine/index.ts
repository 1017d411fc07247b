/** The engine: pods and containers from intent to kernel and back. */
export { openEngine } from './engine.ts'
export type * from './types.ts'
