/** The engine: pods and containers from intent to kernel and back. */
export type * from './types.ts'
