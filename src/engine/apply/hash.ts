/** Hashes of what an app has, which tell that something is the same and nothing of what it is. */
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hmacSha256 } from '../../digest.ts'
import { randomHex } from '../../random.ts'
import type { EngineContext } from '../context.ts'

export type Hasher = (value: unknown) => string

/**
 * Hashes data with a key of this installation. What is hashed holds Secrets: without the key nobody can try values
 * until the hash, which people are shown, fits.
 */
export function lazyHasher({ paths }: EngineContext): Hasher {
  let key: string | undefined
  return value => {
    key ??= readKey(join(paths.root, 'hash.key'))
    return hmacSha256(key, JSON.stringify(sorted(value)))
  }
}

/** Made once, whole or not at all, and readable by its owner alone. */
function readKey(file: string): string {
  if (!existsSync(file)) {
    const draft = `${file}.${randomHex(8)}`
    writeFileSync(draft, randomHex(32), { flag: 'wx', mode: 0o600 })
    try {
      linkSync(draft, file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      rmSync(draft, { force: true })
    }
  }
  return readFileSync(file, 'utf8')
}

/** The same data with the members of each map in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, member]) => [name, sorted(member)]))
}
