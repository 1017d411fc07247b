/** A plain directory, read when nobody is writing to it. */
import { closeSync } from 'node:fs'
import { join, posix } from 'node:path'
import type { Clock } from '../clock.ts'
import { isMissing } from '../errors.ts'
import { plainRoot, type Root } from '../inside.ts'
import { refuse, unstable, vanished } from './failure.ts'
import { type Look, lookAt, type Wanted } from './look.ts'
import { IGNORE_FILE, KUSTOMIZATIONS, mayBeManifest } from './manifests.ts'
import { refusedNames, type Tree } from './tree.ts'

/** After this long without a change, whoever copies several files is taken to be done. */
const SETTLE_MS = 100
/** A file that is being written for longer than this is left to the next run. */
const PATIENCE_MS = 3000
const PAUSE_MS = 50

type Doors = { clock: Clock; signal?: AbortSignal }

/**
 * Manifests of a directory, and a kustomization should there be one: then everything in it, links as links.
 * A container may have some subdirectory as a volume, so without `recursive` nothing below is even opened.
 * Throws SOURCE_VANISHED, SOURCE_HOSTILE, SOURCE_UNSTABLE.
 */
export async function readDirectory(dir: string, path: string, recursive: boolean, doors: Doors): Promise<Tree> {
  const where = join(dir, path)
  const manifests: Wanted = {
    recursive,
    keepLinks: false,
    counts: file =>
      mayBeManifest(posix.basename(file)) ||
      ['Chart.yaml', IGNORE_FILE, ...KUSTOMIZATIONS].includes(posix.basename(file)),
  }
  const look = await settledLook(where, manifests, doors)
  if (!look.entries.some(entry => KUSTOMIZATIONS.includes(entry.path))) return treeOf(look, where, '')
  const whole = await settledLook(dir, { recursive: true, keepLinks: true, counts: () => true }, doors)
  return treeOf(whole, dir, path)
}

async function settledLook(where: string, wanted: Wanted, { clock, signal }: Doors): Promise<Look> {
  const untilMs = clock.monotonicMs() + PATIENCE_MS
  let last: Look | undefined
  for (;;) {
    const look = lookOnce(where, wanted)
    if (look.unsettled.length === 0) {
      const ageMs = clock.nowMs() - look.youngestMs
      // A time to come says nothing: a clock was put back.
      if (ageMs < 0 || ageMs >= SETTLE_MS || last?.fingerprint === look.fingerprint) return checked(look, where, wanted)
    }
    if (clock.monotonicMs() >= untilMs) throw stillChanging(look, where)
    const again = last === undefined && look.unsettled.length === 0
    await clock.sleep(again ? SETTLE_MS : PAUSE_MS, signal)
    last = look.unsettled.length === 0 ? look : undefined
  }
}

function lookOnce(where: string, wanted: Wanted): Look {
  let root: Root | undefined
  try {
    root = { ...plainRoot(where), strict: true }
    return lookAt(root, wanted)
  } catch (error) {
    if (!isMissing(error)) throw error
    throw vanished(`${where} is not there, or is no directory`, 'nothing was changed: mount it, or put it back', {
      cause: error,
    })
  } finally {
    if (root !== undefined) closeSync(root.fd)
  }
}

function checked(look: Look, where: string, { keepLinks }: Wanted): Look {
  refuse(where, [...look.refusals, ...refusedNames(look.entries, where)])
  // A file that was cut to nothing is what an editor or a copy leaves that was killed, or met a full disk.
  const hollow = look.entries.find(entry => entry.bytes === 0 && mayBeManifest(posix.basename(entry.path)))
  if (hollow === undefined || keepLinks) return look
  throw unstable(`${join(where, hollow.path)} is empty`, 'write it again, or remove it to remove what it described')
}

function stillChanging(look: Look, where: string): Error {
  const what = look.unsettled[0] ?? '.'
  return unstable(
    `${join(where, what)} is still being written`,
    'nothing was changed; write a new file beside it and rename it: what has the old name is whole then',
  )
}

const treeOf = (look: Look, where: string, base: string): Tree => ({
  where,
  base,
  entries: look.entries,
  read: async paths =>
    new Map(
      paths.map(path => {
        const bytes = look.contents.get(path)
        if (bytes === undefined) throw new Error(`${where} was read without ${path}`)
        return [path, bytes]
      }),
    ),
})
