/** The process that probes. */
export { type ProberDoors, probe } from './loop.ts'
