/** The keys that end an attachment and leave the container running; pure. */
import { TspodError } from '../../errors.ts'

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q'

/** What may follow `ctrl-` besides letters, with the byte each stands for; `ctrl-@` is 0. */
const CONTROLS: Record<string, number> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 }

/**
 * The bytes that `text` stands for: single characters and `ctrl-X`, between commas; empty switches detaching off.
 * @throws USAGE in Podman's words.
 */
export function parseDetachKeys(text: string): number[] {
  if (text === '') return []
  return text.split(',').map(key => {
    const control = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase()
    if (control !== undefined && /[a-z]/.test(control)) return control.charCodeAt(0) - 96
    const other = control === undefined ? undefined : CONTROLS[control]
    if (other !== undefined) return other
    if (/^[\x01-\x7f]$/.test(key)) return key.charCodeAt(0)
    throw new TspodError('USAGE', `invalid detach keys: Unknown character: '${key}'`, {
      remedy: 'name keys as ctrl-X or as single characters, with commas between them: --detach-keys ctrl-a,d',
    })
  })
}

/** What of some input goes on to the container, and whether the keys were all pressed. */
export type Scanned = { pass: Buffer; detach: boolean }

/**
 * Looks for `keys` in input that comes in pieces. What may be their beginning is held back until the next byte tells.
 */
export function detachScanner(keys: readonly number[]): (input: Buffer) => Scanned {
  let held: number[] = []
  return input => {
    if (keys.length === 0) return { pass: input, detach: false }
    const pass: number[] = []
    for (const byte of input) {
      held.push(byte)
      // What cannot be a beginning any more goes on, byte by byte, until the rest can.
      while (held.some((one, place) => one !== keys[place])) pass.push(held.shift()!)
      if (held.length === keys.length) {
        held = []
        return { pass: Buffer.from(pass), detach: true }
      }
    }
    return { pass: Buffer.from(pass), detach: false }
  }
}
