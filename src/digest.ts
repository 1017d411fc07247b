/**
 * SHA-256 of whole texts, which tells whether something is the same. It is OpenSSL's, as in node:crypto; loading that
 * module costs 6 to 8 ms of a command (measured), and this is all that most commands would need of it: digest.c.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'

type Addon = { sha256(bytes: Uint8Array): string; hmac(key: Uint8Array, bytes: Uint8Array): string }

/** Beside the bundle when this is the bundle; a checkout's tests take the one that `make build` put there. */
const ADDON = join(import.meta.dirname, '../dist/digest.node')

const addon = (): Addon => createRequire(import.meta.url)(ADDON) as Addon

/** The digest of bytes, or of a text in UTF-8, as 64 hexadecimal digits. */
export const sha256 = (data: string | Uint8Array): string => addon().sha256(bytesOf(data))

/** The same with a key, without which nobody can try texts until the digest fits (HMAC, RFC 2104). */
export const hmacSha256 = (key: string, text: string): string => addon().hmac(bytesOf(key), bytesOf(text))

const bytesOf = (data: string | Uint8Array): Uint8Array => (typeof data === 'string' ? Buffer.from(data) : data)
