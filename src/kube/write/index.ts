/** The way back: pods as Kubernetes YAML. */
export { type GenerateOptions, generate, type PlayedManifest, volumeDocument } from './generate.ts'
export { plainContent, podManifest } from './manifest.ts'
export { renderBundle } from './render.ts'
export { manifestText } from './yaml.ts'
