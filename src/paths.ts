/** Where everything lives: two installations with different roots never see each other. */
import { join } from 'node:path'

/** Absolute directories of one installation. */
export type Paths = {
  /** Survives reboot: database, volumes, locks. */
  root: string
  /** Gone after reboot: sandboxes, sockets, exit files. */
  runRoot: string
  /** Container logs. */
  logRoot: string
  /** What an administrator writes. */
  config: string
}

export const SYSTEM_PATHS: Paths = {
  root: '/var/lib/tspod',
  runRoot: '/run/tspod',
  logRoot: '/var/log/tspod',
  config: '/etc/tspod',
}

/**
 * The paths below one `--root`/`--runroot` pair. A custom root takes its logs with it, so that nothing of a
 * second installation lands in the first.
 */
export function pathsFor(root: string | undefined, runRoot: string | undefined): Paths {
  if (root === undefined && runRoot === undefined) return SYSTEM_PATHS
  return {
    root: root ?? SYSTEM_PATHS.root,
    runRoot: runRoot ?? SYSTEM_PATHS.runRoot,
    // The exit hook names both roots always, the usual ones too.
    logRoot: root === undefined || root === SYSTEM_PATHS.root ? SYSTEM_PATHS.logRoot : join(root, 'log'),
    config: SYSTEM_PATHS.config,
  }
}

export const databasePath = (paths: Paths): string => join(paths.root, 'state.db')
/** One file with the records of each pod: see state/copies.ts. */
export const copyDirectory = (paths: Paths): string => join(paths.root, 'records')
export const lockDirectory = (paths: Paths): string => join(paths.root, 'locks')
export const volumeDirectory = (paths: Paths, volume: string): string => join(paths.root, 'volumes', volume)

/** Disk emptyDirs and projected files of a pod. */
export const podDirectory = (paths: Paths, podId: string): string => join(paths.root, 'pods', podId)
/** What is on its way into or out of a container; empty but for commands that are at work. */
export const stagingDirectory = (paths: Paths): string => join(paths.root, 'tmp')
/** Snapshots of GitOps sources, a directory for each. */
export const gitopsDirectory = (paths: Paths): string => join(paths.root, 'gitops')
/** Small files kept with a container; they go with its pod's directory. */
export const artifactDirectory = (paths: Paths, podId: string, id: string): string =>
  join(podDirectory(paths, podId), 'artifacts', id)
/** Pinned namespaces, hosts file and other per-boot parts of a pod. */
export const podRunDirectory = (paths: Paths, podId: string): string => join(paths.runRoot, 'pods', podId)
/** What the timekeeper measures of a pod: see templates/timekeeper. */
export const limitsFile = (paths: Paths, podId: string): string => join(podRunDirectory(paths, podId), 'limits')
/** There as long as something is to be probed, with the pid of the process that does it. */
export const proberMark = (paths: Paths): string => join(paths.runRoot, 'prober')
/** Where the root of a pod's user namespace finds the root file systems of its containers. */
export const podRootsDirectory = (paths: Paths, podId: string): string => join(paths.runRoot, 'roots', podId)
/** Bundle, pid files and FIFOs of a container. */
export const containerRunDirectory = (paths: Paths, id: string): string => join(paths.runRoot, 'containers', id)
/** What a container sees as /run/notify, with the socket in it; short, since an address holds 107 bytes. */
export const notifyDirectory = (paths: Paths, id: string): string => join(paths.runRoot, 'notify', id.slice(0, 12))
/** One file per exited container, written by conmon, named by container id. */
export const exitDirectory = (paths: Paths): string => join(paths.runRoot, 'exits')
/** State directory of one OCI runtime. */
export const runtimeRoot = (paths: Paths, runtime: string): string => join(paths.runRoot, 'runtime', runtime)
/** netavark's and aardvark-dns's own files. */
export const networkRunDirectory = (paths: Paths): string => join(paths.runRoot, 'net')
export const podLogDirectory = (paths: Paths, podName: string, podId: string): string =>
  join(paths.logRoot, 'pods', `${podName}_${podId}`)
