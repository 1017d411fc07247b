/** The OCI runtimes, crun and runc and what an administrator configures: which one to use, and its verbs. */
export { type CriuOptions, checkpointContainer, criuFailed, criuFlags, requireCriu } from './checkpoint.ts'
export { annotatedRuntime } from './config.ts'
export { findProgram, trustedFile } from './program.ts'
export {
  configuredRuntimes,
  isOlder,
  mapsOwnersRight,
  obstacleOf,
  RUNTIME_FLOORS,
  type Runtime,
  selectRuntime,
} from './select.ts'
export {
  deleteContainer,
  execArgs,
  forgetContainer,
  isKnown,
  runtimeArgs,
  runtimeHangs,
  startContainer,
} from './verbs.ts'
