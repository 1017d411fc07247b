/** The engine's types: what its callers give it and get. */
export type * from './api.ts'
