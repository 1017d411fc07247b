export {
  type CgroupPlace,
  cgroupExists,
  cgroupProcesses,
  containerCgroup,
  enterCgroup,
  enterPod,
  type Hierarchy,
  killCgroup,
  type PodCgroup,
  podCgroup,
  type PodScope,
  readHierarchies,
  removeCgroup,
} from './cgroup.ts'
export { type Created, type CreateInput, createContainer, type LogDriver, type LogTarget } from './conmon.ts'
export {
  type Exit,
  isAlive,
  judgeProcess,
  type ProcessId,
  readExit,
  signalContainer,
  type Verdict,
  waitExit,
  type Watched,
  wasOomKilled,
} from './exit.ts'
export { readHostFacts } from './host.ts'
export {
  deleteContainer,
  execArgs,
  findProgram,
  isKnown,
  lastMessage,
  type Runtime,
  runtimeArgs,
  selectRuntime,
  startContainer,
} from './runtime.ts'
export { findImage, listImages } from './image.ts'
export { type ImageName, parseImageName } from './image-name.ts'
export {
  isPinned,
  type NamespaceKind,
  type NetworkStatus,
  pinNamespaces,
  type Pinned,
  setupNetwork,
  teardownNetwork,
  unpinNamespaces,
} from './network.ts'
export {
  type Attachment,
  DEFAULT_NETWORK,
  definedNetworks,
  loadNetwork,
  type NetavarkInput,
  type NetworkDefinition,
  netavarkInput,
  nextAddress,
} from './network-define.ts'
export { type Exclusive, type NetworkDoor, networkDoor } from './network-door.ts'
export { hostsFile, type NetworkMode, resolvConf } from './network-files.ts'
export { type HostPort, portsTaken, publishedPorts } from './ports.ts'
export { type PullDoor, type PullOptions, pullDoor } from './pull.ts'
export {
  baseEnv,
  buildExecProcess,
  buildPauseSpec,
  buildSpec,
  deviceNumber,
  type DeviceNumber,
  type ExecWanted,
  type HostFacts,
  type HostDevice,
  type Identity,
  type OciConfig,
  type ResolvedMount,
  readHostDevices,
  resolveIdentity,
} from './spec/index.ts'
export { openStorage, type RootfsDoor, rootfsDoor, type Store } from './storage.ts'
export { checkHost, type HostCheck } from './features.ts'
export { type LogLine, type LogOptions, type LogSource, type LogStream, readLogs } from './logs.ts'
