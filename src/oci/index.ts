export {
  type CgroupPlace,
  cgroupExists,
  cgroupProcesses,
  containerCgroup,
  enterCgroup,
  type Hierarchy,
  killCgroup,
  type PodCgroup,
  podCgroup,
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
  type Runtime,
  runtimeArgs,
  selectRuntime,
  startContainer,
} from './runtime.ts'
