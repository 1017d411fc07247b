export { isShuttingDown, type Manager, openManager, systemdPresent } from './manager.ts'
export { type Notifier, oneLine, openNotifier } from './notify.ts'
export { ownUnit, type Unit } from './unit.ts'
