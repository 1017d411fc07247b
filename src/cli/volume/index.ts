/** `tspod volume …`: named volumes, which is what PersistentVolumeClaims are here. */
export { volumeExport, volumeImport } from './archive.ts'
export { volumeCreate } from './create.ts'
export { volumeInspect } from './inspect.ts'
export { volumeLs } from './ls.ts'
export { volumePrune, volumeRm } from './rm.ts'
