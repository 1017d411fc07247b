/** Every command by name; the code behind a name is loaded when the name is called. */
import type { Verb } from './verb.ts'

export type Command = {
  /** The full name, one to three words. */
  name: string
  aliases: readonly string[]
  group: 'Run' | 'Look' | 'Inside' | 'Images' | 'Host' | 'hidden'
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
    name: 'pod ps',
    aliases: ['pod ls', 'pod list'],
    group: 'Look',
    summary: 'List pods',
    load: async () => (await import('./pod-ps.ts')).podPs,
  },
  {
    name: 'logs',
    aliases: ['pod logs'],
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
    group: 'Inside',
    summary: 'Show what a container has changed of its image',
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
  {
    name: 'info',
    aliases: [],
    group: 'Host',
    summary: 'Show this host and the programs tspod uses',
    load: async () => (await import('./info.ts')).info,
  },
  {
    name: 'doctor',
    aliases: [],
    group: 'Host',
    summary: 'Check what this host has and lacks, with the remedy for each lack',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  {
    name: 'version',
    aliases: [],
    group: 'Host',
    summary: 'Show the version of tspod and of Node',
    load: async () => (await import('./version.ts')).version,
  },
  {
    name: 'container cleanup',
    aliases: [],
    group: 'hidden',
    summary: 'Settle what the exit of a container means for its pod; called by the exit hook',
    load: async () => (await import('./cleanup.ts')).cleanup,
  },
  {
    name: 'system tick',
    aliases: [],
    group: 'hidden',
    summary: 'Do what is due and say when to be called again; called by the timekeeper',
    load: async () => (await import('./tick.ts')).tick,
  },
]

/** Every spelling of every command, in the order of the table. */
export function spellings(commands: readonly Command[] = COMMANDS): { words: string[]; command: Command }[] {
  return commands.flatMap(command =>
    [command.name, ...command.aliases].map(name => ({ words: name.split(' '), command })),
  )
}
