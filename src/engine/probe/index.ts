/** Probes and hooks at run time, and what they make of containers and pods. */
export { awaitReady, isPodReady, readinessOf } from './ready.ts'
