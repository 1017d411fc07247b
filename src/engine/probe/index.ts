/** Probes and hooks at run time, and what they make of containers and pods. */
export { awaitReady, isPodReady, READY_MS, readinessOf } from './ready.ts'
