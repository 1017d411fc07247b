/** The commands about manifests that systemd runs as units. */
import type { Command } from './commands.ts'

export const UNIT_COMMANDS: readonly Command[] = [
  {
    name: 'systemd enable',
    aliases: [],
    group: 'Units',
    summary: 'Have manifests start at boot',
    load: async () => (await import('./systemd/index.ts')).enable,
  },
  {
    name: 'systemd disable',
    aliases: [],
    group: 'Units',
    summary: 'No longer start manifests at boot',
    load: async () => (await import('./systemd/index.ts')).disable,
  },
  {
    name: 'systemd start',
    aliases: [],
    group: 'Units',
    summary: 'Start manifests as services',
    load: async () => (await import('./systemd/index.ts')).start,
  },
  {
    name: 'systemd stop',
    aliases: [],
    group: 'Units',
    summary: 'Stop manifests that run as services',
    load: async () => (await import('./systemd/index.ts')).stop,
  },
  {
    name: 'systemd restart',
    aliases: [],
    group: 'Units',
    summary: 'Stop and start manifests as services',
    load: async () => (await import('./systemd/index.ts')).restart,
  },
  {
    name: 'systemd reload',
    aliases: [],
    group: 'Units',
    summary: 'Have services take changed manifests',
    load: async () => (await import('./systemd/index.ts')).reload,
  },
  {
    name: 'systemd status',
    aliases: [],
    group: 'Units',
    summary: 'Show what systemd says of a manifest',
    load: async () => (await import('./systemd/index.ts')).status,
  },
  {
    name: 'systemd list',
    aliases: ['systemd ls'],
    group: 'Units',
    summary: 'List manifests and their units',
    load: async () => (await import('./systemd/index.ts')).list,
  },
  {
    name: 'systemd cat',
    aliases: [],
    group: 'Units',
    summary: 'Print the unit, options and manifest of a service',
    load: async () => (await import('./systemd/index.ts')).cat,
  },
  {
    name: 'systemd install',
    aliases: [],
    group: 'Units',
    summary: 'Install the systemd units of tspod',
    load: async () => (await import('./systemd/index.ts')).install,
  },
  {
    name: 'systemd uninstall',
    aliases: [],
    group: 'Units',
    summary: 'Remove the systemd units of tspod',
    load: async () => (await import('./systemd/index.ts')).uninstall,
  },
  {
    name: 'systemd run',
    aliases: [],
    group: 'hidden',
    summary: 'Play, reload or stop the manifest of a unit; called by the unit',
    load: async () => (await import('./systemd/index.ts')).run,
  },
]
