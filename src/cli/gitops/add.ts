/** `tspod gitops add`: a directory or a repository becomes the truth of what runs. */
import { resolve } from 'node:path'
import { parseDuration } from '../../duration.ts'
import type { SourceWish } from '../../engine/index.ts'
import { TspodError } from '../../errors.ts'
import type { Credentials, GitRef, SourceFrom } from '../../source/index.ts'
import type { FlagTable } from '../flags.ts'
import { printable } from '../output.ts'
import { defineVerb, type Input, type World } from '../verb.ts'
import { addFlagProblems, addWarnings } from './add-flags.ts'
import { NAME_HELP, nameProblems } from './common.ts'
import { watchSource } from './watch.ts'

const DEFAULT_INTERVAL_MS = 5 * 60_000
const DEFAULT_TIMEOUT_MS = 5 * 60_000

const FLAGS = {
  dir: {
    kind: 'text',
    value: 'DIR',
    help: 'a directory of manifests, or a git checkout that somebody else keeps up to date: then what is committed counts',
  },
  git: { kind: 'text', value: 'URL', help: 'a git repository that tspod fetches' },
  branch: { kind: 'text', value: 'NAME', help: 'with --git: this branch (default: the one that HEAD names)' },
  tag: { kind: 'text', value: 'NAME', help: 'with --git: this tag' },
  commit: { kind: 'text', value: 'ID', help: 'with --git: this commit, and no other ever' },
  path: { kind: 'text', value: 'SUB', help: 'the manifests are in this directory of it' },
  recursive: { kind: 'switch', initial: false, short: 'R', help: 'manifests in directories below count as well' },
  vars: {
    kind: 'text',
    value: 'FILE',
    help: 'a file of this host with NAME=VALUE lines: each ${NAME} in the manifests is replaced',
  },
  interval: { kind: 'text', value: 'TIME', help: 'how often it is looked at without a reason (default 5m)' },
  prune: { kind: 'switch', initial: true, help: 'remove what is no longer in it; volumes always stay' },
  verify: {
    kind: 'text',
    value: 'KEYS',
    help: "take only commits that one of these keys has signed: a file of git's allowed signers, or a GPG keyring",
  },
  rewind: { kind: 'switch', initial: false, help: 'take a history that was rewritten (git push --force) as well' },
  unit: {
    kind: 'switch',
    initial: false,
    help: 'run each manifest as a unit of its own, tspod-kube@NAME-FILE.service',
  },
  'on-failure': {
    kind: 'choice',
    choices: ['keep-old', 'rollback', 'stop'],
    help: 'when something does not become ready: what it replaced runs again (the default), all of the change is undone, or it is left as it is',
  },
  timeout: { kind: 'text', value: 'TIME', help: 'how long a change may take until all is ready (default 5m)' },
  observe: { kind: 'switch', initial: false, help: 'only tell what differs, and change nothing' },
  watch: {
    kind: 'switch',
    initial: true,
    help: 'have systemd reconcile it at each change and interval; --watch=false leaves that to you',
  },
  notify: {
    kind: 'text',
    value: 'PROGRAM',
    help: "run this program of root's, with one JSON document, when it begins to fail, recovers, or something was applied or repaired",
  },
  metrics: {
    kind: 'text',
    value: 'FILE',
    help: "replace this file, whose name ends in .prom, at each reconcile: for node_exporter's textfile collector",
  },
  'ssh-key': { kind: 'text', value: 'FILE', help: 'private key for a repository over ssh' },
  'known-hosts': { kind: 'text', value: 'FILE', help: "host keys that ssh trusts (default: the host's)" },
  'token-file': { kind: 'text', value: 'FILE', help: 'file with a token or password for a repository over https' },
  username: { kind: 'text', value: 'NAME', help: 'sent with the token' },
  'ca-file': { kind: 'text', value: 'FILE', help: "certificates that https trusts in place of the host's" },
  'age-key': { kind: 'text', value: 'FILE', help: 'key of age that SOPS decrypts manifests with' },
} as const satisfies FlagTable

type AddInput = Input<typeof FLAGS>

export const add = defineVerb({
  operands: 'NAME',
  count: { minimum: 1, maximum: 1 },
  description:
    'Adds a GitOps source: the manifests of a directory or a git repository are what runs, and everything else that ' +
    'the source has made goes. Nothing is changed before all of it has been found to be right, and nothing is ever ' +
    `removed because a source cannot be read. ${NAME_HELP}\n` +
    'Where systemd runs, tspod-gitops@NAME.timer and .path reconcile it; elsewhere `tspod gitops reconcile --all` ' +
    'does, from cron or by hand. Nothing stays running in between.',
  examples: [
    { does: 'A checkout on this host, at each commit', line: 'tspod gitops add shop --dir /srv/shop' },
    {
      does: 'A repository, signed commits only',
      line: 'tspod gitops add shop --git https://git.example/shop.git --branch main --verify /etc/tspod/signers',
    },
    {
      does: 'One repository for several hosts: directory and values are of this one',
      line: 'tspod gitops add shop --git https://git.example/shop.git --path hosts/$(hostname) --vars /etc/tspod/shop.env',
    },
    {
      does: 'Manifests as units, looked at every minute',
      line: 'tspod gitops add shop --dir /srv/shop --unit --interval 1m',
    },
    {
      does: 'Told of by a program, and in Prometheus',
      line: 'tspod gitops add shop --dir /srv/shop --notify /usr/local/sbin/tell-us --metrics /var/lib/prometheus/node-exporter/tspod-shop.prom',
    },
    {
      does: 'Only to see what it would do (tspod gitops diff shop)',
      line: 'tspod gitops add shop --dir /srv/shop --observe --watch=false',
    },
  ],
  flags: FLAGS,
  // A name that is missing is told once.
  check: ({ flags, operands: [name] }) => [...(name ? nameProblems(name) : []), ...addFlagProblems(flags)],
  async run(input, world) {
    const wish = await wishOf(input, world)
    const gitops = await (await world.engine()).gitops()
    const warnings = addWarnings(wish, await gitops.sources())
    await gitops.add(wish)
    const hint = input.flags.watch ? await watchSource(wish, world) : notWatched(wish.name)
    return { stdout: `${wish.name}\n`, stderr: `${warnings.join('')}${hint}` }
  },
})

const notWatched = (name: string): string => `note: nobody reconciles it by itself: tspod gitops reconcile ${name}\n`

async function wishOf({ flags, operands: [name = ''] }: AddInput, world: World): Promise<SourceWish> {
  const absolute = (path: string): string => resolve(world.cwd, path)
  const credentials = credentialsOf(flags, absolute)
  return {
    name,
    from: await fromOf(flags, absolute),
    ...(flags.path !== undefined && { path: flags.path }),
    ...(flags.recursive && { recursive: true as const }),
    ...(credentials !== undefined && { credentials }),
    ...(flags.vars !== undefined && { vars: absolute(flags.vars) }),
    intervalMs: parseDuration(flags.interval ?? '') ?? DEFAULT_INTERVAL_MS,
    prune: flags.prune,
    ...(flags.verify !== undefined && { verify: absolute(flags.verify) }),
    ...(flags.rewind && { rewind: true as const }),
    units: flags.unit,
    onFailure: (flags['on-failure'] ?? 'keep-old') as SourceWish['onFailure'],
    timeoutMs: parseDuration(flags.timeout ?? '') ?? DEFAULT_TIMEOUT_MS,
    observe: flags.observe,
    ...(flags.notify !== undefined && { notify: resolve(flags.notify) }),
    ...(flags.metrics !== undefined && { metrics: resolve(flags.metrics) }),
  }
}

async function fromOf(flags: AddInput['flags'], absolute: (path: string) => string): Promise<SourceFrom> {
  const { git, branch, tag, commit } = flags
  if (git !== undefined) {
    const ref: GitRef =
      commit !== undefined ? { commit } : tag !== undefined ? { tag } : branch !== undefined ? { branch } : {}
    return { kind: 'git', url: git, ref }
  }
  const dir = absolute(flags.dir ?? '.')
  // Found out once: a checkout whose .git is gone must not turn into a plain directory by itself.
  const { kindOfDirectory } = await import('../../source/index.ts')
  const kind = await kindOfDirectory(dir)
  if (kind === 'directory' && flags.verify !== undefined) {
    throw new TspodError(
      'USAGE',
      `--verify is about commits, and ${printable(dir)} has none: it is a plain directory`,
      {
        remedy: 'name a checkout or a repository, or leave --verify out and say who may write to the directory',
      },
    )
  }
  return { kind, dir }
}

function credentialsOf(flags: AddInput['flags'], absolute: (path: string) => string): Credentials | undefined {
  const files = {
    sshKeyFile: flags['ssh-key'],
    knownHostsFile: flags['known-hosts'],
    tokenFile: flags['token-file'],
    caFile: flags['ca-file'],
    ageKeyFile: flags['age-key'],
  }
  const given = Object.entries(files).flatMap(([key, path]) => (path === undefined ? [] : [[key, absolute(path)]]))
  const all = { ...Object.fromEntries(given), ...(flags.username !== undefined && { username: flags.username }) }
  return Object.keys(all).length === 0 ? undefined : (all as Credentials)
}
