export { GITOPS_TEMPLATES, gitopsUnits, pathDropIn, timerDropIn } from './gitops-units.ts'
export {
  instanceOf,
  type KubeUnit,
  TEMPLATE,
  TEMPLATE_UNIT,
  unitOfInstance,
  unitOfName,
  unitOfOperand,
} from './instance.ts'
export { type KubeOptions, readKubeOptions } from './kube-options.ts'
export { type Linger, lingerOf } from './linger.ts'
export { isShuttingDown, type Manager, openManager, systemdPresent } from './manager.ts'
export { type Notifier, oneLine, openNotifier } from './notify.ts'
export { type Imported, importKube } from './quadlet.ts'
export { ownUnit, type Unit } from './unit.ts'
export { unitFileIssueText } from './unit-file.ts'
export { openUnits, reasonOf, type Scope, type UnitAction, type UnitLink, type UnitState, type Units } from './units.ts'
