/** The commands about this host and this installation as a whole, and those that only our own scripts call. */
import type { Command } from './commands.ts'

export const HOST_COMMANDS: readonly Command[] = [
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
    name: 'completion',
    aliases: [],
    group: 'Host',
    summary: 'Print a script that has a shell complete command lines',
    load: async () => (await import('./completion/index.ts')).completion,
  },
  {
    name: '__complete',
    aliases: [],
    group: 'hidden',
    summary: 'Print the words that may come next; called by completion scripts',
    load: async () => (await import('./completion/index.ts')).complete,
  },
  {
    name: 'system fsck',
    aliases: ['system check'],
    group: 'Host',
    summary: 'Compare what is recorded with what is there, and heal it',
    load: async () => (await import('./fsck.ts')).fsck,
  },
  {
    name: 'system refresh',
    aliases: [],
    group: 'Host',
    summary: 'Heal the records after a reboot, and start again what should run',
    load: async () => (await import('./refresh.ts')).refresh,
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
