/**
 * Runs what the spec builder and the volume code make, with a real runtime and nothing else between: a busybox root
 * file system in a directory, `RUNTIME run` in the foreground. `close` removes everything and says what was left.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import type { ContainerSpec, Id } from '../../src/model.ts'
import { readHierarchies, readHostFacts, removeCgroup } from '../../src/oci/index.ts'
import { buildSpec, type HostFacts, type OciConfig, type SpecInput } from '../../src/oci/spec/index.ts'
import { type Paths, pathsFor } from '../../src/paths.ts'
import { type Finished, run } from '../../src/process.ts'
import { copyBusybox } from './image.ts'
import { containerSpec, specInput } from './spec-input.ts'

const APPLETS = [
  'cat',
  'echo',
  'grep',
  'hostname',
  'id',
  'ls',
  'mkdir',
  'mknod',
  'mount',
  'readlink',
  'sh',
  'sleep',
  'stat',
  'touch',
].concat(['chmod', 'df', 'env', 'head', 'ln', 'mkfifo', 'mv', 'rm', 'wc'])

export const SECCOMP_PROFILE = JSON.parse(readFileSync('/usr/share/containers/seccomp.json', 'utf8')) as object

/** Runtimes make missing mount points by the umask they are started with; conmon sets this one. */
const AS_CONMON = 'umask 022; exec "$@"'
/** crun 1.8 refuses hybrid cgroups: it gets a view of the host without the v2 tree. */
const IN_V1_VIEW = `umount -l /sys/fs/cgroup/unified 2>/dev/null; ${AS_CONMON}`
export const RUNTIMES: Record<string, string[]> = {
  runc: ['sh', '-c', AS_CONMON, 'sh', 'runc'],
  crun: ['unshare', '-m', 'sh', '-c', IN_V1_VIEW, 'sh', 'crun'],
}

export type Sandbox = {
  directory: string
  rootfs: string
  paths: Paths
  podId: Id
  host: HostFacts
  /** The cgroup everything here is put below. */
  cgroup: string
  /** Builds the config for a line of shell and runs it to its end. */
  sh(runtime: string, script: string, changes?: Changes): Promise<Finished>
  /** The argv of a runtime with this sandbox's state directory. */
  argv(runtime: string, ...args: string[]): [string, ...string[]]
  /** Pins fresh namespaces and returns their paths; `close` lets go of them. */
  pin(): { net: string; ipc: string; uts: string }
  /** Removes everything; returns the mounts that were left below the directory. */
  close(): Promise<string[]>
}

export type Changes = Partial<Omit<SpecInput, 'container'>> & {
  container?: Partial<ContainerSpec>
  /** Name of the container; made up when absent. */
  id?: string
}

export async function makeSandbox(): Promise<Sandbox> {
  const directory = mkdtempSync('/tmp/tspod-sandbox-')
  const rootfs = join(directory, 'rootfs')
  for (const part of ['bin', 'etc', 'tmp']) makeOpen(join(rootfs, part))
  chmodSync(rootfs, 0o755)
  chmodSync(join(rootfs, 'tmp'), 0o1777)
  copyBusybox(join(rootfs, 'bin/busybox'))
  for (const name of APPLETS) symlinkSync('busybox', join(rootfs, 'bin', name))
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n')
  writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\napp:x:1000:\naudio:x:63:app\n')
  for (const path of ['bin/busybox', 'etc/passwd', 'etc/group']) chmodSync(join(rootfs, path), 0o755)
  const host = await readHostFacts()
  const cgroup = `/${directory.slice('/tmp/'.length)}`
  const pinned: string[] = []
  const argv = (runtime: string, ...args: string[]): [string, ...string[]] =>
    [...(RUNTIMES[runtime] ?? []), '--root', join(directory, `state-${runtime}`), ...args] as [string, ...string[]]
  return {
    ...{ directory, rootfs, host, cgroup, argv },
    paths: pathsFor(join(directory, 'root'), join(directory, 'run')),
    podId: randomBytes(32).toString('hex') as Id,
    sh: async (runtime, script, { container, id = randomBytes(6).toString('hex'), ...changes } = {}) => {
      const bundle = join(directory, `bundle-${id}`)
      mkdirSync(bundle)
      const input = specInput({
        ...{
          rootfs,
          seccompProfile: SECCOMP_PROFILE,
          cgroupPath: `${cgroup}/${id}`,
          env: { PATH: '/bin' },
          namespaces: {},
        },
        args: ['/bin/sh', '-c', script],
        container: containerSpec(container),
        ...changes,
      })
      const config: OciConfig = buildSpec(input, host).config
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(config))
      return await run({ argv: argv(runtime, 'run', '--bundle', bundle, id), timeoutMs: 30_000 })
    },
    pin: () => {
      const names = ['net', 'ipc', 'uts'] as const
      const paths = names.map(name => join(directory, `${name}-${pinned.length}`))
      for (const path of paths) writeFileSync(path, '')
      execFileSync('unshare', [...names.map((name, index) => `--${name}=${paths[index]}`), 'true'])
      pinned.push(...paths)
      return { net: paths[0] ?? '', ipc: paths[1] ?? '', uts: paths[2] ?? '' }
    },
    close: async () => {
      for (const path of pinned) execFileSync('umount', [path])
      await removeCgroup(readHierarchies(), cgroup, { force: true, clock: systemClock })
      const left = mountsBelow(directory)
      for (const path of left.toReversed()) execFileSync('umount', ['-l', path])
      rmSync(directory, { recursive: true, force: true })
      return existsSync(directory) ? [...left, directory] : left
    },
  }
}

/** A directory any user may enter, whatever the umask of the test. */
function makeOpen(path: string): void {
  mkdirSync(path, { recursive: true })
  chmodSync(path, 0o755)
}

export function mountsBelow(directory: string): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return lines.map(line => line.split(' ')[4] ?? '').filter(path => path.startsWith(`${directory}/`))
}
