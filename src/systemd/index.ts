export { type Manager, openManager, systemdPresent } from './manager.ts'
