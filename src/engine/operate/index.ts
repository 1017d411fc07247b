export { operateContainers } from './containers.ts'
export { operatePods } from './pods.ts'
export { waitFor } from './wait.ts'
