/** Who signed a commit, by git's own judgement and with the keys of one file: none of this host's count. */
import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { sha256 } from '../digest.ts'
import { removeTree } from '../files.ts'
import type { Finished } from '../process.ts'
import { randomHex } from '../random.ts'
import { untrusted } from './failure.ts'
import { type GitCall, type GitDoors, git, lastWords } from './git.ts'
import type { Tip } from './mirror.ts'

const MAX_KEYS_BYTES = 4 * 1024 * 1024

/** Keys, and what says whether they are the same as last time. */
export type Keys = { file: string; digest: string; kind: 'ssh' | 'gpg' }

/** Reads a file of keys: git's allowed signers, or public keys of GPG, armoured or not. Throws SOURCE_UNTRUSTED. */
export async function readKeys(file: string): Promise<Keys> {
  const stat = statSync(file, { throwIfNoEntry: false })
  if (stat?.isFile() !== true || stat.size === 0 || stat.size > MAX_KEYS_BYTES) {
    throw untrusted(`the keys of --verify cannot be read: ${file}`, 'put the allowed signers, or a keyring, there')
  }
  if ((stat.mode & 0o002) !== 0) {
    throw untrusted(`${file} may be written by everybody, so it says nothing`, `run: chmod o-w ${file}`)
  }
  const bytes = readFileSync(file)
  const isGpg = bytes.includes('-----BEGIN PGP') || ((bytes[0] ?? 0) & 0x80) !== 0
  return { file, digest: sha256(bytes), kind: isGpg ? 'gpg' : 'ssh' }
}

/**
 * Who has signed what was fetched: the commit, or where an annotated tag was named, the tag. A signature of the newest
 * commit is one for all that its tree holds, whoever made the commits before. Throws SOURCE_UNTRUSTED without one.
 */
export async function signerOf(
  doors: GitDoors,
  mirror: string,
  tip: Tip,
  keys: Keys,
  directory: string,
): Promise<string> {
  const home = join(directory, `.gnupg-${randomHex(6)}`)
  mkdirSync(home, { mode: 0o700 })
  chmodSync(home, 0o700)
  try {
    if (keys.kind === 'gpg') await importKeys(doors, keys.file, home)
    const call: GitCall = {
      env: { GNUPGHOME: home, HOME: home },
      config: {
        // Keys of one kind say nothing about signatures of the other.
        'gpg.ssh.allowedSignersFile': keys.kind === 'ssh' ? keys.file : '/dev/null',
        'gpg.ssh.program': 'ssh-keygen',
        'gpg.program': 'gpg',
        'gpg.x509.program': '/bin/false',
        'gpg.minTrustLevel': 'undefined',
      },
    }
    const tries = tip.tag === undefined ? [] : [await git(doors, mirror, ['verify-tag', '--raw', tip.tag], call)]
    if (tries[0]?.exitCode !== 0) tries.push(await git(doors, mirror, ['verify-commit', '--raw', tip.commit], call))
    const good = tries.find(({ exitCode }) => exitCode === 0)
    const signer = good && nameIn(good.stderr)
    if (signer !== undefined) return signer
    throw noSignature(tip, tries.at(-1), keys)
  } finally {
    await removeTree(home)
  }
}

/** ssh: `Good "git" signature for NAME with …`; GPG: `[GNUPG:] GOODSIG ID NAME`. */
function nameIn(stderr: string): string | undefined {
  const ssh = /^Good "git" signature for (.+) with \S+ key \S+$/m.exec(stderr)?.[1]
  return ssh ?? /^\[GNUPG:\] GOODSIG [0-9A-F]+ (.+)$/m.exec(stderr)?.[1]
}

function noSignature({ commit }: Tip, tried: Finished | undefined, keys: Keys): Error {
  const told = tried?.stderr.trim() ?? ''
  const short = commit.slice(0, 12)
  if (told === '') {
    return untrusted(`commit ${short} is not signed`, `sign it with a key of ${keys.file}: git commit --amend -S`)
  }
  const why = /No principal matched|NO_PUBKEY|No public key/.test(told)
    ? 'is signed with a key that is not trusted'
    : `has no good signature (${tried === undefined ? '' : lastWords(tried)})`
  return untrusted(`commit ${short} ${why}`, `have somebody sign it whose key is in ${keys.file}`, { details: told })
}

async function importKeys({ run, signal }: GitDoors, file: string, home: string): Promise<void> {
  const argv = ['gpg', '--homedir', home, '--batch', '--no-tty', '--no-autostart', '--quiet', '--import', file] as const
  const finished = await run({ argv, env: { LC_ALL: 'C', HOME: home } }, signal)
  if (finished.exitCode === 0) return
  throw untrusted(`gpg does not take the keys of ${file}: ${lastWords(finished)}`, 'export them again: gpg --export')
}
