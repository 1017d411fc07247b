/** What callers wish of a source, and the snapshot they get. */
import type { Clock } from '../clock.ts'
import type { Run } from '../process.ts'

/** Files with what git and SOPS need to know of us. A path here is read as it is: it is an administrator's. */
export type Credentials = {
  /** Private key for ssh. */
  sshKeyFile?: string
  /** Host keys that ssh trusts; without it those of the host (/etc/ssh/ssh_known_hosts and root's own). */
  knownHostsFile?: string
  /** A token, or a password, for https: one line. */
  tokenFile?: string
  /** Sent with the token; most servers take any. */
  username?: string
  /** Certificates that https trusts in place of the host's. */
  caFile?: string
  /** Key of age that SOPS decrypts with. */
  ageKeyFile?: string
}

/** Which commit of a repository: none of them is its HEAD. */
export type GitRef = { branch: string } | { tag: string } | { commit: string } | Record<string, never>

/**
 * Where manifests come from. What a directory is, is found out once, by `kindOfDirectory`, and then kept: a checkout
 * whose .git is gone must never turn into a plain directory by itself.
 */
export type SourceFrom =
  /** The files as they are. */
  | { kind: 'directory'; dir: string }
  /** The commit that is checked out in a directory that somebody else keeps up to date. */
  | { kind: 'checkout'; dir: string }
  /** https://, ssh://, USER@HOST:PATH, git://, http://, file:// or an absolute path. */
  | { kind: 'git'; url: string; ref: GitRef }

export type SourceWish = {
  /** Names the directory that the source has below `doors.directory`. */
  name: string
  from: SourceFrom
  /** Directory inside it that holds the manifests; the whole by default. */
  path?: string
  /** Manifests in subdirectories count too. Without it only those in the directory itself, as for `kubectl -f`. */
  recursive?: boolean
  credentials?: Credentials
  /** File with keys, one of which must have signed the commit: git's allowed signers (ssh), or a keyring of GPG. */
  verifyFile?: string
  /** Revision that was applied last: a git source that is not a descendant of it is refused with SOURCE_REWOUND. */
  applied?: string
  /** Takes a history that was rewritten. */
  allowRewind?: boolean
  /** This revision in place of the newest: what was read before is not fetched again. For a rollback. */
  revision?: string
  /** For everything that git does over the network (default two minutes). */
  timeoutMs?: number
}

export type SourceDoors = {
  run: Run
  clock: Clock
  /** Directory with one directory for each source: /var/lib/tspod/gitops. */
  directory: string
  /**
   * The caller's environment. Looked at are TSPOD_GIT_TOKEN, SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, the proxies, and
   * CREDENTIALS_DIRECTORY with the credentials git-token, git-ssh-key, git-known-hosts, git-ca and age-key.
   */
  env: Readonly<Record<string, string | undefined>>
  /** Where kustomize, kubectl and sops are looked for, if elsewhere than other programs. */
  searchPath?: string
  signal?: AbortSignal
  /** Called when there is something new, and nothing to do until git has fetched it. */
  fetching?: () => void
}

/** A source as it was at one moment. */
export type Snapshot = {
  /** The commit, or `sha256:…` over names and contents of a plain directory. */
  revision: string
  kind: 'directory' | 'git'
  /**
   * The manifests, in order of their names; rendered and decrypted. The name of a file is its path, in a repository
   * its path there.
   */
  files: { file: string; text: string }[]
  /** Those that a tool has written anew: kustomize, or SOPS when it decrypted them. Quotes are as it likes them. */
  remade?: readonly string[]
  /** Some of them are encrypted in the source: as they are here they are in memory only. */
  decrypted?: true
  /**
   * Directory that relative hostPaths begin at. Of a git source it is a copy of all but the manifests, named after its
   * content: mounts of it outlive the next commit, and one that changes none of it gives the same directory. Of a plain
   * directory it is the directory.
   */
  root: string
  /** Who signed it, where that was asked for. */
  signer?: string
  /** What in the working tree of a checkout differs from the commit, and therefore does not count. */
  dirty?: string
  /** What was left out and why: submodules, files kept by Git LFS, directories with a kustomization of their own. */
  notes: string[]
}

/** A path that a systemd path unit watches with PathChanged=. */
export type WatchedPath = string
