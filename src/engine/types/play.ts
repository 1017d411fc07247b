/** What `kube play` and `kube down` are asked for and what they answer: plain data, shared with the command line. */
import type { Id, WorkloadName } from '../../model.ts'
import type { PullOptions } from '../../oci/index.ts'
import type { Unit } from '../../systemd/index.ts'
import type { PodRecord } from '../state/index.ts'

export type PlayOptions = {
  replace: boolean
  /** False: create only. */
  start: boolean
  /** Raw `--network` values, in order; empty means what the manifest says. */
  networks: string[]
  /** The n-th address is for the n-th pod. */
  ips: string[]
  macs: string[]
  logDriver?: string
  /** Raw `--log-opt` values: `key=value`. */
  logOptions: string[]
  noHosts: boolean
  noHostname: boolean
  noPodPrefix: boolean
  pull: PullOptions
  /** Absent: images are only pulled. */
  build?: BuildOptions
  runtime?: string
  /** The systemd unit in whose cgroup the pods live; found by the engine. */
  unit?: Unit
  /** Set when a service container is to stand for the play's pods. */
  service?: ServiceOptions
}

/** `root` is where directories with Containerfiles are looked for; `always` builds an image that is there as well. */
export type BuildOptions = { root: string; always: boolean }

export type ServiceOptions = {
  /** `<first 12 digits of the manifest's SHA-256>-service`, as in Podman. */
  name: string
  /** Which exit codes of its pods make the service itself fail. */
  propagation: 'none' | 'all' | 'any'
}

export type ContainerFailure = { container: string; message: string }

export type PlayedPod = {
  name: string
  id: string
  /** Regular containers only, in manifest order. */
  containers: { name: string; id: string }[]
  /** Containers that did not start, each with one sentence. */
  failures: ContainerFailure[]
}

export type PlayReport = {
  volumes: string[]
  secrets: { name: string; id: string }[]
  pods: PlayedPod[]
  /** Id of the service's pod, where there is a service container. */
  service?: Id
  /**
   * The process that stands for the service from now on: its monitor, unless it has ended already. Absent when none of
   * its containers has started.
   */
  main?: number | 'ended'
  /** Some containers have a say in when the service is ready: whoever played it stands for it until it ends. */
  resident?: true
  /** Pods that `--replace` took down first. */
  replaced?: DownReport
}

/** Who is told how far a play or a removal is, as it goes. */
export type Watch = {
  /** The unit is up already: what it holds is about to be replaced. */
  reloading?(): void
  /** How the play stands, in a line. */
  standing?(text: string): void
  /** These complete pods are about to be replaced; what it throws keeps them. */
  replacing?(pods: readonly PodRecord[]): Promise<void>
  /** One more pod is asked to stop, and may take this long. */
  stopping?(graceMs: number): void
}

/** What `kube down` works on: names only, so that it needs no valid manifest. */
export type DownRequest = {
  pods: string[]
  /** Whatever pods they have made, of whatever names. */
  workloads: WorkloadName[]
  secrets: string[]
  claims: string[]
  podClaims: string[]
  /** Claims called by `prefix` and a number; `withWorkload`: they go even without force. */
  claimsOf: { prefix: string; withWorkload: boolean }[]
}

export type DownOptions = {
  /** Also removes named volumes. */
  force: boolean
  /** Also every pod that this systemd unit has played. */
  unit?: string
  /** At most this between the stop signal and KILL, whatever the pods say. */
  graceMs?: number
}

export type DownReport = {
  stopped: string[]
  removed: string[]
  secrets: string[]
  volumes: string[]
  failures: { object: string; message: string }[]
}
