/** OCI runtime configurations, as data: what a container may see, do and use. */
import type { ContainerSecurity, PodSecurity } from '../../model.ts'
import type { HostFacts, Identity, OciConfig, OciProcess, SpecInput } from './types.ts'

export type { DeviceNumber, HostDevice, HostFacts, Identity, OciConfig, OciProcess, ResolvedMount, SpecInput } from './types.ts'

export type PauseInput = Pick<SpecInput, 'pod' | 'ids' | 'namespaces' | 'cgroupPath' | 'seccompProfile' | 'hostname'> & {
  /** An empty directory, and the host's catatonit that is bound into it. */
  rootfs: string
  catatonit: string
}
export type ExecWanted = {
  args: string[]
  /** Added to the container's environment. */
  env: Record<string, string>
  identity?: Identity
  cwd?: string
  tty: boolean
}
export declare function buildSpec(input: SpecInput, host: HostFacts): { config: OciConfig; notices: string[] }
export declare function buildPauseSpec(input: PauseInput, host: HostFacts): OciConfig
export declare function buildExecProcess(config: OciConfig, wanted: ExecWanted): OciProcess
export declare function resolveIdentity(
  rootfs: string,
  imageUser: string,
  security: ContainerSecurity,
  pod: PodSecurity,
  userFlag?: string,
): Identity
