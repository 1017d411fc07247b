/** What can be asked about the inside of containers: plain data, shared with the command line. */
import type { Id } from '../../model.ts'
import type { Usage } from '../../oci/index.ts'
import type { ContainerKind } from '../types/index.ts'

export type CopyEnd = {
  /** Name or id; absent for the host. */
  container?: string
  /** Of the host absolute (a `/` or `/.` at its end counts), or `-` for an archive; of a container also relative. */
  path: string
}

export type CopyRequest = { from: CopyEnd; to: CopyEnd; archive: boolean; overwrite: boolean }

export type MountedContainer = { id: Id; name: string; path: string }

/** Paths in which a container differs from its image. */
export type Changes = { changed: string[]; added: string[]; deleted: string[] }

/** A small file kept with a container. */
export type Artifact = { name: string; sizeBytes: number; createdMs: number }

/** Processes as rows of cells. */
export type ProcessTable = { header: string[]; rows: string[][] }

export type StatsRequest = {
  /** Names or ids; none means every container. */
  names: string[]
  /** The names are those of pods. */
  pods: boolean
  all: boolean
}

/** What a container used at one moment; what this host cannot tell is undefined. */
export type Reading = {
  id: Id
  name: string
  pod: string
  podId: Id
  kind: ContainerKind
  /** Monotonic time of the reading. */
  atMs: number
  /** Since it was started. */
  upMs?: number
  usage: Usage
}

/** How the image that `commit` makes differs from a plain one. */
export type CommitRequest = {
  /** Its name; without one it is known by its id alone. */
  image?: string
  /** Like lines of a Dockerfile. */
  changes: string[]
  author: string
  message: string
}

/** Operations that look into containers. */
export type Inside = {
  /** Copies between the host and containers; `note` is told what is left out. */
  copy(request: CopyRequest, note: (text: string) => void, signal: AbortSignal): Promise<void>
  /** Mounts a container's root file system once more. */
  mount(nameOrId: string): Promise<MountedContainer>
  mounts(): Promise<MountedContainer[]>
  /** Takes one mount back (all with `force`); throws WRONG_STATE for the one a running container stands on. */
  unmount(nameOrId: string, how: { force: boolean }): Promise<Id>
  unmountAll(how: { force: boolean }): Promise<Id[]>
  /** Writes the root file system as an archive to a file, or to standard output. */
  exportRoot(nameOrId: string, output: string | undefined, signal: AbortSignal): Promise<void>
  /** Writes what is in a named volume as an archive to a file, or to standard output; throws NO_SUCH_OBJECT. */
  exportVolume(name: string, output: string | undefined, signal: AbortSignal): Promise<void>
  /** Fills an empty named volume from an archive; throws NO_SUCH_OBJECT, WRONG_STATE for one that is not, or is in use. */
  importIntoVolume(name: string, file: string | undefined, signal: AbortSignal): Promise<void>
  diff(nameOrId: string): Promise<Changes>
  /** Makes an image from what a container has written; returns its id. */
  commit(nameOrId: string, request: CommitRequest, signal: AbortSignal): Promise<string>
  /** Throws WRONG_STATE when the container does not run, USAGE for an unknown descriptor. */
  top(nameOrId: string, descriptors: readonly string[]): Promise<ProcessTable>
  topPod(nameOrId: string, descriptors: readonly string[]): Promise<ProcessTable>
  /** One reading of what containers use now. */
  stats(request: StatsRequest): Promise<Reading[]>
  /** Keeps `data` with a container; throws NAME_IN_USE, USAGE for a bad name or more than 1 MiB. */
  addArtifact(nameOrId: string, name: string, data: Uint8Array): Promise<void>
  /** Throws NO_SUCH_OBJECT. */
  getArtifact(nameOrId: string, name: string): Promise<Buffer>
  listArtifacts(nameOrId: string): Promise<Artifact[]>
  /** Throws NO_SUCH_OBJECT. */
  removeArtifact(nameOrId: string, name: string): Promise<void>
}
