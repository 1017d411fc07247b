/** The commands about GitOps sources. */
import type { Command } from './commands.ts'

export const GITOPS_COMMANDS: readonly Command[] = [
  {
    name: 'gitops add',
    aliases: [],
    group: 'GitOps',
    summary: 'Have a directory or a repository of manifests be what runs',
    load: async () => (await import('./gitops/index.ts')).add,
  },
  {
    name: 'gitops list',
    aliases: ['gitops ls'],
    group: 'GitOps',
    summary: 'List GitOps sources',
    load: async () => (await import('./gitops/index.ts')).list,
  },
  {
    name: 'gitops status',
    aliases: [],
    group: 'GitOps',
    summary: 'Show how GitOps sources stand',
    load: async () => (await import('./gitops/index.ts')).status,
  },
  {
    name: 'gitops diff',
    aliases: [],
    group: 'GitOps',
    summary: 'Show what a reconcile would do',
    load: async () => (await import('./gitops/index.ts')).diff,
  },
  {
    name: 'gitops reconcile',
    aliases: [],
    group: 'GitOps',
    summary: 'Bring what runs to what GitOps sources say',
    load: async () => (await import('./gitops/index.ts')).reconcile,
  },
  {
    name: 'gitops history',
    aliases: [],
    group: 'GitOps',
    summary: 'Show what was done for a GitOps source',
    load: async () => (await import('./gitops/index.ts')).history,
  },
  {
    name: 'gitops metrics',
    aliases: [],
    group: 'GitOps',
    summary: 'Print how GitOps sources stand, for Prometheus',
    load: async () => (await import('./gitops/index.ts')).metrics,
  },
  {
    name: 'gitops suspend',
    aliases: [],
    group: 'GitOps',
    summary: 'Leave what a GitOps source runs alone for a while',
    load: async () => (await import('./gitops/index.ts')).suspend,
  },
  {
    name: 'gitops resume',
    aliases: [],
    group: 'GitOps',
    summary: 'End a suspension',
    load: async () => (await import('./gitops/index.ts')).resume,
  },
  {
    name: 'gitops rollback',
    aliases: [],
    group: 'GitOps',
    summary: 'Go back to an earlier revision of a GitOps source',
    load: async () => (await import('./gitops/index.ts')).rollback,
  },
  {
    name: 'gitops export',
    aliases: [],
    group: 'GitOps',
    summary: 'Print the manifests that a GitOps source has applied',
    load: async () => (await import('./gitops/index.ts')).exportManifests,
  },
  {
    name: 'gitops remove',
    aliases: ['gitops rm'],
    group: 'GitOps',
    summary: 'Remove a GitOps source',
    load: async () => (await import('./gitops/index.ts')).remove,
  },
]
