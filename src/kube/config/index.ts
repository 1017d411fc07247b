/** Documents that hold data, and finding what pods refer to. */
export { judgeVolumeAnnotations, readClaim } from './claim.ts'
export { readConfigMap, readSecret } from './config.ts'
export { type ConfigData, type ConfigKind, type ConfigStore, findConfig, findKey, secretData } from './store.ts'
