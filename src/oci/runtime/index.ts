/** The OCI runtimes, crun and runc and what an administrator configures: which one to use, and its verbs. */
export { annotatedRuntime } from './config.ts'
export { findProgram } from './program.ts'
export { configuredRuntimes, isOlder, obstacleOf, RUNTIME_FLOORS, type Runtime, selectRuntime } from './select.ts'
export {
  callRuntime,
  deleteContainer,
  execArgs,
  forgetContainer,
  isKnown,
  runtimeArgs,
  runtimeFailed,
  runtimeHangs,
  startContainer,
} from './verbs.ts'
