/** What users see of pods and containers, secrets hidden. */
export { inspect } from './inspect.ts'
export { generated } from './manifest.ts'
export { find, type Loaded, loadAll, oneContainer } from './query.ts'
export { stateOf } from './view.ts'
