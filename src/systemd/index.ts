export { type Manager, openManager, type ScopeRequest, systemdPresent } from './manager.ts'
