export { type Activity, readActivity } from './activity.ts'
export { appArmorProfile } from './apparmor.ts'
export { type Console, openConsole } from './attach.ts'
export { type BuildSource, buildImage, buildSource } from './build.ts'
export {
  type CgroupPlace,
  cgroupExists,
  cgroupProcesses,
  containerCgroup,
  controlBelow,
  enterCgroup,
  enterPod,
  type Hierarchy,
  killCgroup,
  type PodCgroup,
  type PodScope,
  podCgroup,
  podCgroups,
  readHierarchies,
  removeCgroup,
  thawCgroup,
} from './cgroup.ts'
export { type CheckpointFacts, readArchive, writeArchive } from './checkpoint-archive.ts'
export { type ConfigPart, commitImage } from './commit.ts'
export {
  type BegunMonitor,
  beginMonitor,
  type Created,
  type CreateInput,
  createContainer,
  dismissMonitor,
  type LogDriver,
  type LogTarget,
  type Reported,
} from './conmon.ts'
export { type ExecInput, execMonitored } from './conmon-exec.ts'
export {
  type Exit,
  isAlive,
  judgeProcess,
  type ProcessId,
  readExit,
  signalContainer,
  type Verdict,
  type Watched,
  waitExit,
  waitGone,
  wasOomKilled,
} from './exit.ts'
export { lastMessage } from './failures.ts'
export { checkHost, type HostCheck } from './features.ts'
export { setFrozen } from './freezer.ts'
export { readHostFacts } from './host.ts'
export { findImage, findImageIds, listImages, readImageParts } from './image.ts'
export { deleteImage, nameMeant, removeImageName } from './image-remove.ts'
export { type Limits, setLimits, withLimits } from './limits.ts'
export { type LogLine, type LogOptions, type LogSource, type LogStream, parseEntry, readLogs } from './logs.ts'
export {
  hasInterface,
  isListed,
  isPinned,
  type NamespaceKind,
  type NetworkStatus,
  type Pinned,
  pinNamespaces,
  servedAddresses,
  unpinNamespaces,
} from './network.ts'
export { createNetwork, forgetNetwork, type NetworkWish } from './network-create.ts'
export {
  DEFAULT_NETWORK,
  definedNetworks,
  loadNetwork,
  type NetworkDefinition,
} from './network-define.ts'
export { type Exclusive, type NetworkDoor, networkDoor } from './network-door.ts'
export { hostsFile, type NetworkMode, resolvConf } from './network-files.ts'
export { type Attachment, type NetavarkInput, netavarkInput, nextAddress } from './network-input.ts'
export { type HostPort, portsTaken } from './ports.ts'
export { type ProcessFacts, readProcesses } from './processes.ts'
export { type PullDoor, type PullOptions, pullDoor } from './pull.ts'
export {
  annotatedRuntime,
  type CriuOptions,
  checkpointContainer,
  deleteContainer,
  execArgs,
  findProgram,
  forgetContainer,
  isKnown,
  mapsOwnersRight,
  type Runtime,
  requireCriu,
  runtimeArgs,
  selectRuntime,
  startContainer,
  trustedFile,
} from './runtime/index.ts'
export {
  baseEnv,
  buildExecProcess,
  buildPauseSpec,
  buildSpec,
  type DeviceNumber,
  deviceNumber,
  type ExecWanted,
  type HostDevice,
  type HostFacts,
  type Identity,
  type OciConfig,
  parseGroup,
  parsePasswd,
  podLimits,
  type ResolvedMount,
  readHostDevices,
  refuseAppArmor,
  refuseLimits,
  resolveIdentity,
  type SpecInput,
  secureRootfs,
  type UserNamespace,
} from './spec/index.ts'
export {
  idsInUse,
  imageLabel,
  openStorage,
  type RootChange,
  type RootfsDoor,
  rootfsDoor,
  type Store,
} from './storage.ts'
export { readUsage, type Usage } from './usage.ts'
export { chooseIds, existingMaps, idPool } from './user-namespace.ts'
