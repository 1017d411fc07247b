/** `tspod completion`, and what its scripts call. */
export { complete } from './complete.ts'
export { completion } from './script.ts'
