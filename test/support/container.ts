/**
 * One real container for tests of the runtime layer: a busybox root file system in a directory, a small config, its
 * own roots, conmon. `remove` takes everything away, and `leftovers` says what is still there.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import type { Id } from '../../src/model.ts'
import {
  type BegunMonitor,
  beginMonitor,
  type Created,
  type CreateInput,
  cgroupExists,
  containerCgroup,
  createContainer,
  deleteContainer,
  enterCgroup,
  findProgram,
  type PodCgroup,
  podCgroup,
  type Runtime,
  readHierarchies,
  readHostFacts,
  removeCgroup,
  selectRuntime,
  startContainer,
  type Verdict,
  waitExit,
} from '../../src/oci/index.ts'
import { exitDirectory, type Paths, pathsFor } from '../../src/paths.ts'
import { run } from '../../src/process.ts'
import { copyBusybox } from './image.ts'

export type Lab = {
  directory: string
  paths: Paths
  id: Id
  runtime: Runtime
  cgroup: PodCgroup
  logPath: string
  /** Writes the config for a line of shell, or for an argv as it is; the cgroup is the lab's own unless given. */
  configure(command: string | string[], cgroupsPath?: string): void
  create(changes?: Partial<CreateInput>, begun?: Promise<BegunMonitor>): Promise<Created>
  /** Starts the monitor of a container to come. */
  begin(): Promise<BegunMonitor>
  start(): Promise<void>
  /** The verdict once the container is not running any more, undefined after `timeoutMs`. */
  wait(created: Created, timeoutMs?: number): Promise<Verdict | undefined>
  log(): string[]
  remove(): Promise<void>
  /** Processes that name this lab, cgroups and directories; empty when nothing is left. */
  leftovers(): string[]
}

let count = 0

/** Makes the directories and finds the runtime (`wanted` as in `--runtime`). */
export async function makeLab(wanted?: string): Promise<Lab> {
  const directory = mkdtempSync('/tmp/tspod-lab-')
  const paths = pathsFor(join(directory, 'root'), join(directory, 'run'))
  const bundle = join(directory, 'bundle')
  for (const part of ['bin', 'proc', 'dev', 'sys']) mkdirSync(join(bundle, 'rootfs', part), { recursive: true })
  for (const root of [paths.root, paths.runRoot]) mkdirSync(root, { mode: 0o700 })
  copyBusybox(join(bundle, 'rootfs/bin/busybox'))
  const id = `${process.pid.toString(16)}${(count++).toString(16)}`.padStart(64, 'e') as Id
  const name = directory.slice('/tmp/tspod-'.length)
  const host = await readHostFacts()
  const limited = host.controllers?.includes('memory') !== false
  const runtime = await selectRuntime(run, paths, host, wanted)
  const hierarchies = readHierarchies()
  const cgroup = podCgroup({ manager: 'cgroupfs' }, { name, id })
  const logPath = join(paths.logRoot, '0.log')
  const inputWith = (changes: Partial<CreateInput> = {}): CreateInput => ({
    ...{ runtime, id, name, bundle, exitDir: exitDirectory(paths), tty: false, stdin: false, exitHook: [] },
    conmonPath: findProgram('conmon') ?? '/usr/bin/conmon',
    runDir: join(directory, 'c'),
    log: [{ driver: 'k8s-file', path: logPath, maxBytes: 0 }],
    beforeStart: pid => enterCgroup(hierarchies, cgroup.control, pid),
    ...changes,
  })
  return {
    ...{ directory, paths, id, runtime, cgroup, logPath },
    configure: (command, cgroupsPath = containerCgroup(cgroup, 'c')) => {
      const args = typeof command === 'string' ? ['/bin/busybox', 'sh', '-c', command] : command
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(config(args, cgroupsPath, limited)))
    },
    create: (changes, begun) => createContainer(inputWith(changes), systemClock, begun),
    begin: () => beginMonitor(inputWith()),
    start: () => startContainer(run, runtime, id, name),
    wait: async (created, timeoutMs = 20_000) => {
      const monitor = { pid: created.conmonPid, start: created.conmonStart }
      return (await waitExit(exitDirectory(paths), [{ id, container: created, monitor }], timeoutMs, systemClock)).get(
        id,
      )
    },
    log: () => readFileSync(logPath, 'utf8').trim().split('\n'),
    remove: async () => {
      await deleteContainer(run, runtime, id, { force: true })
      await removeCgroup(hierarchies, cgroup.path, { force: true, clock: systemClock })
      rmSync(directory, { recursive: true, force: true })
    },
    leftovers: () => [
      ...processesNaming(directory),
      ...(cgroupExists(hierarchies, cgroup.path) ? [cgroup.path] : []),
      ...readdirSync('/tmp').filter(entry => join('/tmp', entry) === directory),
    ],
  }
}

/** Command lines of live processes that contain `text`. */
export function processesNaming(text: string): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(pid => {
      try {
        return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`
      } catch {
        return ''
      }
    })
    .filter(line => line.includes(text))
}

function config(args: string[], cgroupsPath: string, limited: boolean): object {
  const namespaces = ['pid', 'mount', 'ipc', 'uts', 'network'].map(type => ({ type }))
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/bin'],
      cwd: '/',
      capabilities: { bounding: ['CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'] },
    },
    root: { path: 'rootfs' },
    hostname: 'lab',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
    ],
    linux: { cgroupsPath, namespaces, resources: limited ? { memory: { limit: 64 * 1024 * 1024 } } : {} },
  }
}
