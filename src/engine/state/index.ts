/** What lasts: the database, its records, and the locks that guard them. */

export {
  type AppObjectRecord,
  type AppRecord,
  deleteAppObject,
  deleteEmptyApp,
  dropBefore,
  keepBefore,
  type PodBefore,
  readAppObjects,
  readApps,
  readBefore,
  readOwners,
  writeApp,
  writeAppObject,
} from './apps.ts'
export { keepBackup } from './backup.ts'
export { dropCopy, keepCopy, type PodCopy, readCopies } from './copies.ts'
export {
  type Failures,
  insertJob,
  type JobProgress,
  type JobRecord,
  markCounted,
  readJob,
  readJobs,
  updateJob,
  wakeJob,
} from './jobs.ts'
export { type Lock, takeLock, wantedBy } from './lock.ts'
export { insertManifest, readManifest, replaceManifest } from './manifests.ts'
export { type ContainerPatch, type PodPatch, updateContainer, updatePod } from './patches.ts'
export {
  amongIds,
  type ContainerRecord,
  deadlineOf,
  deleteContainerRow,
  deletePod,
  insertContainer,
  insertPod,
  type LogSettings,
  leasedAddresses,
  type PodRecord,
  type PodSettings,
  podsMadeBy,
  type RunProgress,
  readContainer,
  readContainers,
  readPod,
  readPodById,
  readPodOf,
  readPods,
  readPodsOfJob,
  readSandbox,
  type SandboxFacts,
  specNamed,
  type UsernsSettings,
  updateSandbox,
} from './records.ts'
export { cutRow } from './rows.ts'
export { type SetAside, setAside } from './set-aside.ts'
export { openStore, type Row, type Store, type Transaction, type Value } from './store.ts'
