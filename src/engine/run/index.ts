/** The executors of a plan: namespaces, bundles, starts, ends, the service container. */
export { requireImage } from './bundle.ts'
export { deleteRun, endExecutors } from './end.ts'
export { isOom, recordEnd } from './ends.ts'
export { holdPod } from './hold.ts'
export { advance, mayDo } from './lifecycle.ts'
export { logPath } from './log-path.ts'
export { observe, watched } from './observe.ts'
export { atStart } from './progress.ts'
export { observeEnds, type Reconciled, reconcile } from './reconcile.ts'
export { enterPodCgroup, ownNamespaces, prepareSandboxFiles } from './sandbox.ts'
export {
  removeIdleServices,
  removeService,
  reviveService,
  settleService,
  startService,
  writeService,
} from './service.ts'
export { makeContainer, startExecutors } from './start.ts'
export { evictOver } from './storage-limits.ts'
export { tearDown } from './teardown.ts'
