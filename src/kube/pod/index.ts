/** One pod: its sections in files of their own. */
export { findInEnvFile } from './env-file.ts'
export { expandEnv, expandText, expandWords, runtimeValue } from './expand.ts'
export { CLUSTER_DOMAIN } from './hosts.ts'
export { checkHostPorts, type PodContext, type PodOrigin, type PodOwn, type ReadPod, readPod } from './pod.ts'
export { parsePublish, portsClash, publishPorts } from './ports.ts'
export { usernsAnnotation } from './userns.ts'
