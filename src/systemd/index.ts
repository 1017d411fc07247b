export { isShuttingDown, type Manager, openManager, systemdPresent } from './manager.ts'
export { notifyReady } from './notify.ts'
export { ownUnit, type Unit } from './unit.ts'
