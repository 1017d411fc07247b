/** OCI runtime configurations, as data: what a container may see, do and use. */
export { buildSpec } from './build.ts'
export { deviceNumber, readHostDevices } from './host-devices.ts'
export { resolveIdentity } from './identity.ts'
export { refuseAppArmor } from './lsm.ts'
export { parseGroup, parsePasswd } from './passwd.ts'
export { baseEnv, buildExecProcess, buildPauseSpec, type ExecWanted, type PauseInput } from './process.ts'
export { podLimits, refuseLimits } from './resources.ts'
export { secureRootfs } from './rootfs.ts'
export type {
  DeviceNumber,
  HostDevice,
  HostFacts,
  Identity,
  OciConfig,
  OciProcess,
  OciResources,
  ResolvedMount,
  SpecInput,
  UserNamespace,
} from './types.ts'
