/** Commands about what outlives pods: volumes and Secrets. */
import type { Command } from './commands.ts'

export const DATA_COMMANDS: readonly Command[] = [
  {
    name: 'volume ls',
    aliases: ['volume list'],
    group: 'Data',
    summary: 'List named volumes',
    load: async () => (await import('./volume/index.ts')).volumeLs,
  },
  {
    name: 'volume inspect',
    aliases: [],
    group: 'Data',
    summary: 'Show everything known about volumes',
    load: async () => (await import('./volume/index.ts')).volumeInspect,
  },
  {
    name: 'volume create',
    aliases: [],
    group: 'Data',
    summary: 'Make an empty volume',
    load: async () => (await import('./volume/index.ts')).volumeCreate,
  },
  {
    name: 'volume exists',
    aliases: [],
    group: 'Data',
    summary: 'Tell by the exit code whether a volume exists',
    load: async () => (await import('./volume/index.ts')).volumeExists,
  },
  {
    name: 'volume export',
    aliases: [],
    group: 'Data',
    summary: 'Write what is in a volume as an archive',
    load: async () => (await import('./volume/index.ts')).volumeExport,
  },
  {
    name: 'volume import',
    aliases: [],
    group: 'Data',
    summary: 'Fill an empty volume from an archive',
    load: async () => (await import('./volume/index.ts')).volumeImport,
  },
  {
    name: 'volume rm',
    aliases: ['volume remove'],
    group: 'Data',
    summary: 'Remove volumes with what is in them',
    load: async () => (await import('./volume/index.ts')).volumeRm,
  },
  {
    name: 'volume prune',
    aliases: [],
    group: 'Data',
    summary: 'Remove volumes that no pod uses',
    load: async () => (await import('./volume/index.ts')).volumePrune,
  },
  {
    name: 'secret ls',
    aliases: ['secret list'],
    group: 'Data',
    summary: 'List Secrets, without their values',
    load: async () => (await import('./secret/index.ts')).secretLs,
  },
  {
    name: 'secret inspect',
    aliases: [],
    group: 'Data',
    summary: 'Show what is known about Secrets',
    load: async () => (await import('./secret/index.ts')).secretInspect,
  },
  {
    name: 'secret exists',
    aliases: [],
    group: 'Data',
    summary: 'Tell by the exit code whether a Secret is on record',
    load: async () => (await import('./secret/index.ts')).secretExists,
  },
  {
    name: 'secret rm',
    aliases: ['secret remove'],
    group: 'Data',
    summary: 'Remove Secrets',
    load: async () => (await import('./secret/index.ts')).secretRm,
  },
]
