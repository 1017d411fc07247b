/**
 * Files that SOPS has encrypted, decrypted in memory. What is encrypted says itself with which keys, and some kinds of
 * keys are asked for over the network: here is no network, and the only key is the one of age that we were given.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { TspodError } from '../errors.ts'
import { writeAtomic } from '../files.ts'
import { FIXED_PATH } from '../process.ts'
import { findProgramIn } from '../programs.ts'
import { randomHex } from '../random.ts'
import { credentialFile } from './access.ts'
import { decryptFailure } from './failure.ts'
import { lastWords } from './git.ts'
import type { Credentials, SourceDoors } from './types.ts'

type File = { file: string; text: string }
/** `directory` is the source's own. */
type Doors = Pick<SourceDoors, 'run' | 'env' | 'directory' | 'searchPath' | 'signal'>

const TIMEOUT_MS = 30_000
/** More processes at once would only wait for each other. */
const AT_ONCE = 4

/** True for a file with SOPS's own data at the top of a document. */
export const isEncrypted = ({ file, text }: File): boolean =>
  file.endsWith('.json')
    ? /"sops"\s*:\s*\{/.test(text) && /"mac"\s*:/.test(text)
    : /^(?:sops|"sops"|'sops')\s*:/m.test(text)

/** The same files with those decrypted that are encrypted. Throws SOURCE_DECRYPT with the file's name. */
export async function decryptFiles(files: readonly File[], credentials: Credentials, doors: Doors): Promise<File[]> {
  const encrypted = files.filter(isEncrypted)
  const [first] = encrypted
  if (first === undefined) return [...files]
  const program = findProgramIn(doors.searchPath ?? FIXED_PATH, 'sops')
  if (program === undefined) {
    throw decryptFailure(
      `${first.file} is encrypted with SOPS, and sops is not installed`,
      'install sops, in /usr/local/bin for example',
    )
  }
  const key = keyOf(credentials, doors.env)
  if (key === undefined) {
    throw decryptFailure(
      `${first.file} is encrypted with SOPS, and there is no key to decrypt it with`,
      'name a file with the key of age (--age-key FILE), or give the unit the credential age-key',
    )
  }
  const plain = new Map<string, string>()
  for (let from = 0; from < encrypted.length; from += AT_ONCE) {
    const some = encrypted.slice(from, from + AT_ONCE)
    const texts = await Promise.all(some.map(file => decrypt(file, program, key, doors)))
    for (const [index, { file }] of some.entries()) plain.set(file, texts[index] ?? '')
  }
  return files.map(({ file, text }) => ({ file, text: plain.get(file) ?? text }))
}

/** The variables that sops finds the key by. */
function keyOf({ ageKeyFile }: Credentials, env: SourceDoors['env']): Record<string, string> | undefined {
  const file = credentialFile(ageKeyFile, env, 'age-key') ?? env.SOPS_AGE_KEY_FILE
  if (file) return { SOPS_AGE_KEY_FILE: file }
  return env.SOPS_AGE_KEY ? { SOPS_AGE_KEY: env.SOPS_AGE_KEY } : undefined
}

async function decrypt(
  { file, text }: File,
  program: string,
  key: Record<string, string>,
  { run, signal, directory }: Doors,
): Promise<string> {
  const type = file.endsWith('.json') ? 'json' : 'yaml'
  // What is encrypted may lie on the disk. Its standard input is a socket, which sops cannot open by name.
  const input = join(directory, `.sops-${randomHex(6)}.${type}`)
  const sops = [program, '--decrypt', '--input-type', type, '--output-type', type, input]
  try {
    await writeAtomic(input, text, 0o600, { durable: false })
    const finished = await run(
      {
        argv: ['unshare', '--net', '--', ...sops],
        env: { ...key, LC_ALL: 'C', HOME: '/nonexistent', GNUPGHOME: '/nonexistent' },
        timeoutMs: TIMEOUT_MS,
      },
      signal,
    )
    if (finished.exitCode === 0) return finished.stdout
    throw decryptFailure(
      `${file} cannot be decrypted: ${lastWords(finished)}`,
      'see whether it is encrypted for this key of age: sops --decrypt FILE',
      { details: finished.stderr.trim() },
    )
  } catch (error) {
    if (!(error instanceof TspodError) || error.code !== 'COMMAND_TIMEOUT') throw error
    throw decryptFailure(`sops took too long with ${file}`, 'use a key of age: no other kind is asked for', {
      cause: error,
    })
  } finally {
    rmSync(input, { force: true })
  }
}
