/** Intent: from a translated manifest to records, and back with down. */
export { configOf } from './config.ts'
export { down } from './down.ts'
export { emptyPodSpec } from './empty-pod.ts'
export { pull } from './images.ts'
export { definitionOf, type Intent, newContainer, newId, sandboxOf, writeIntent } from './intents.ts'
export { playMore } from './more.ts'
export { leadersFirst, placeOf } from './order.ts'
export { play } from './play.ts'
