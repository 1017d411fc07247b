export { isShuttingDown, type Manager, openManager, systemdPresent } from './manager.ts'
