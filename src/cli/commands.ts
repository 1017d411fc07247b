/** Every command by name; the code behind a name is loaded when the name is called. */
import { CONTAINER_COMMANDS } from './container-commands.ts'
import { GITOPS_COMMANDS } from './gitops-commands.ts'
import { HOST_COMMANDS } from './host-commands.ts'
import { UNIT_COMMANDS } from './unit-commands.ts'
import type { Verb } from './verb.ts'

export type Command = {
  /** The full name, one to three words. */
  name: string
  aliases: readonly string[]
  group: 'Run' | 'Pods' | 'Look' | 'Inside' | 'Images' | 'Units' | 'GitOps' | 'Host' | 'hidden'
  summary: string
  load(): Promise<Verb>
}

export const COMMANDS: readonly Command[] = [
  {
    name: 'kube play',
    aliases: ['play kube'],
    group: 'Run',
    summary: 'Create and start the pods of Kubernetes YAML',
    load: async () => (await import('./play.ts')).play,
  },
  {
    name: 'kube down',
    aliases: [],
    group: 'Run',
    summary: 'Stop and remove what Kubernetes YAML describes',
    load: async () => (await import('./down.ts')).down,
  },
  {
    name: 'apply',
    aliases: [],
    group: 'Run',
    summary: 'Bring what runs to what manifests say, and touch nothing else',
    load: async () => (await import('./apply/index.ts')).apply,
  },
  {
    name: 'kube validate',
    aliases: [],
    group: 'Look',
    summary: 'Find what is wrong with Kubernetes YAML, without running it',
    load: async () => (await import('./validate.ts')).validate,
  },
  {
    name: 'explain',
    aliases: [],
    group: 'Look',
    summary: 'Tell what a field of a manifest means, and what tspod does with it',
    load: async () => (await import('./explain.ts')).explain,
  },
  {
    name: 'kube render',
    aliases: [],
    group: 'Look',
    summary: 'Show what Kubernetes YAML comes to, without running it',
    load: async () => (await import('./render.ts')).render,
  },
  {
    name: 'kube generate',
    aliases: ['generate kube'],
    group: 'Look',
    summary: 'Write pods and volumes as Kubernetes YAML',
    load: async () => (await import('./generate.ts')).generateVerb,
  },
  ...CONTAINER_COMMANDS,
  {
    name: 'pod create',
    aliases: [],
    group: 'Pods',
    summary: 'Make pods without starting them',
    load: async () => (await import('./operate/index.ts')).podCreate,
  },
  {
    name: 'pod start',
    aliases: [],
    group: 'Pods',
    summary: 'Start pods',
    load: async () => (await import('./operate/index.ts')).podStart,
  },
  {
    name: 'pod stop',
    aliases: [],
    group: 'Pods',
    summary: 'Stop pods',
    load: async () => (await import('./operate/index.ts')).podStop,
  },
  {
    name: 'pod restart',
    aliases: [],
    group: 'Pods',
    summary: 'Stop pods and start them again',
    load: async () => (await import('./operate/index.ts')).podRestart,
  },
  {
    name: 'pod kill',
    aliases: [],
    group: 'Pods',
    summary: 'Send a signal to every container of pods',
    load: async () => (await import('./operate/index.ts')).podKill,
  },
  {
    name: 'pod pause',
    aliases: [],
    group: 'Pods',
    summary: 'Freeze pods',
    load: async () => (await import('./operate/index.ts')).podPause,
  },
  {
    name: 'pod unpause',
    aliases: [],
    group: 'Pods',
    summary: 'Let paused pods go on',
    load: async () => (await import('./operate/index.ts')).podUnpause,
  },
  {
    name: 'pod wait',
    aliases: [],
    group: 'Pods',
    summary: 'Wait until pods have ended, and print their exit codes',
    load: async () => (await import('./operate/index.ts')).podWait,
  },
  {
    name: 'pod cleanup',
    aliases: [],
    group: 'Pods',
    summary: 'Bring pods to where they should be',
    load: async () => (await import('./operate/index.ts')).podCleanup,
  },
  {
    name: 'pod rm',
    aliases: [],
    group: 'Pods',
    summary: 'Remove pods',
    load: async () => (await import('./operate/index.ts')).podRm,
  },
  {
    name: 'pod prune',
    aliases: [],
    group: 'Pods',
    summary: 'Remove pods that are at rest',
    load: async () => (await import('./operate/index.ts')).podPrune,
  },
  {
    name: 'exec',
    aliases: ['container exec'],
    group: 'Run',
    summary: 'Run a command in a running container',
    load: async () => (await import('./exec.ts')).exec,
  },
  {
    name: 'attach',
    aliases: ['container attach'],
    group: 'Run',
    summary: 'Connect the terminal to a running container',
    load: async () => (await import('./attach.ts')).attach,
  },
  {
    name: 'ps',
    aliases: ['container ps', 'container ls', 'container list'],
    group: 'Look',
    summary: 'List containers',
    load: async () => (await import('./ps.ts')).ps,
  },
  {
    name: 'port',
    aliases: ['container port'],
    group: 'Look',
    summary: 'List which ports of the host lead to a container',
    load: async () => (await import('./operate/index.ts')).port,
  },
  {
    name: 'pod ps',
    aliases: ['pod ls', 'pod list'],
    group: 'Look',
    summary: 'List pods',
    load: async () => (await import('./pod-ps.ts')).podPs,
  },
  {
    name: 'logs',
    aliases: ['container logs', 'pod logs'],
    group: 'Look',
    summary: 'Show what a container, or every container of a pod, has printed',
    load: async () => (await import('./logs.ts')).logs,
  },
  {
    name: 'stats',
    aliases: ['container stats'],
    group: 'Look',
    summary: 'Show what containers use',
    load: async () => (await import('./stats.ts')).stats,
  },
  {
    name: 'pod stats',
    aliases: [],
    group: 'Look',
    summary: 'Show what the containers of pods use',
    load: async () => (await import('./stats.ts')).podStats,
  },
  {
    name: 'top',
    aliases: ['container top'],
    group: 'Look',
    summary: 'List the processes of a container',
    load: async () => (await import('./top.ts')).top,
  },
  {
    name: 'pod top',
    aliases: [],
    group: 'Look',
    summary: 'List the processes of all containers of a pod',
    load: async () => (await import('./top.ts')).podTop,
  },
  {
    name: 'events',
    aliases: ['system events'],
    group: 'Look',
    summary: 'Show what happens to pods, containers, images, volumes and secrets',
    load: async () => (await import('./events.ts')).events,
  },
  {
    name: 'inspect',
    aliases: [],
    group: 'Look',
    summary: 'Show everything known about pods or containers',
    load: async () => (await import('./inspect.ts')).inspect,
  },
  {
    name: 'commit',
    aliases: ['container commit'],
    group: 'Inside',
    summary: 'Make an image from what a container has written',
    load: async () => (await import('./commit.ts')).commit,
  },
  {
    name: 'cp',
    aliases: ['container cp'],
    group: 'Inside',
    summary: 'Copy files between the host and containers',
    load: async () => (await import('./cp.ts')).cp,
  },
  {
    name: 'diff',
    aliases: ['container diff'],
    group: 'Look',
    summary: 'Show what an apply would do, or what a container has changed of its image',
    load: async () => (await import('./diff.ts')).diff,
  },
  {
    name: 'export',
    aliases: ['container export'],
    group: 'Inside',
    summary: 'Write the root file system of a container as an archive',
    load: async () => (await import('./export.ts')).exportVerb,
  },
  {
    name: 'mount',
    aliases: ['container mount'],
    group: 'Inside',
    summary: 'Mount the root file system of containers, or list what is mounted',
    load: async () => (await import('./mount.ts')).mount,
  },
  {
    name: 'unmount',
    aliases: ['umount', 'container unmount', 'container umount'],
    group: 'Inside',
    summary: 'Take a mount of a container back',
    load: async () => (await import('./unmount.ts')).unmount,
  },
  {
    name: 'container artifact add',
    aliases: [],
    group: 'Inside',
    summary: 'Keep a small file with a container',
    load: async () => (await import('./artifact.ts')).artifactAdd,
  },
  {
    name: 'container artifact get',
    aliases: [],
    group: 'Inside',
    summary: 'Print a file that is kept with a container',
    load: async () => (await import('./artifact.ts')).artifactGet,
  },
  {
    name: 'container artifact ls',
    aliases: ['container artifact list'],
    group: 'Inside',
    summary: 'List the files that are kept with a container',
    load: async () => (await import('./artifact.ts')).artifactLs,
  },
  {
    name: 'container artifact rm',
    aliases: [],
    group: 'Inside',
    summary: 'Remove files that are kept with a container',
    load: async () => (await import('./artifact.ts')).artifactRm,
  },
  {
    name: 'container inspect',
    aliases: [],
    group: 'Look',
    summary: 'Show everything known about containers',
    load: async () => (await import('./inspect.ts')).containerInspect,
  },
  {
    name: 'pod inspect',
    aliases: [],
    group: 'Look',
    summary: 'Show everything known about pods',
    load: async () => (await import('./inspect.ts')).podInspect,
  },
  {
    name: 'container exists',
    aliases: [],
    group: 'Look',
    summary: 'Tell by the exit code whether a container exists',
    load: async () => (await import('./exists.ts')).containerExists,
  },
  {
    name: 'pod exists',
    aliases: [],
    group: 'Look',
    summary: 'Tell by the exit code whether a pod exists',
    load: async () => (await import('./exists.ts')).podExists,
  },
  {
    name: 'image ls',
    aliases: ['image list', 'images'],
    group: 'Images',
    summary: 'List the images in local storage',
    load: async () => (await import('./image-ls.ts')).imageLs,
  },
  {
    name: 'image exists',
    aliases: [],
    group: 'Images',
    summary: 'Tell by the exit code whether an image is in local storage',
    load: async () => (await import('./exists.ts')).imageExists,
  },
  {
    name: 'image pull',
    aliases: ['pull'],
    group: 'Images',
    summary: 'Fetch images from a registry',
    load: async () => (await import('./image-pull.ts')).imagePull,
  },
  ...UNIT_COMMANDS,
  ...GITOPS_COMMANDS,
  ...HOST_COMMANDS,
]

/** Every spelling of every command, in the order of the table. */
export function spellings(commands: readonly Command[] = COMMANDS): { words: string[]; command: Command }[] {
  return commands.flatMap(command =>
    [command.name, ...command.aliases].map(name => ({ words: name.split(' '), command })),
  )
}
