export { operateContainers } from './containers.ts'
export { operatePods } from './pods.ts'
export { rename } from './rename.ts'
export { waitFor } from './wait.ts'
