/** Documents that hold data, and finding what pods refer to. */
export { readClaim, readConfigMap, readSecret } from './config.ts'
export { type ConfigData, type ConfigKind, type ConfigStore, findConfig, findKey, secretData } from './store.ts'
