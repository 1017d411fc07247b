/** What probes and hooks do: a command, a request, a connection, a pause. */
export { execCheck } from './exec.ts'
export { doHook, type Finding, type Site, tryProbe, type Whereabouts } from './handle.ts'
