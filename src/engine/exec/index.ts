/** Work in a container that runs: exec sessions and attach. */
export { attach, startAttached } from './attach.ts'
export { DEFAULT_DETACH_KEYS, parseDetachKeys } from './detach-keys.ts'
export { exec, execDetached, execOnTerminal } from './exec.ts'
export { refusalIn } from './refusal.ts'
export { execSessions, sessionOf, settleSessions } from './sessions.ts'
