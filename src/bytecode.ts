/**
 * Loads the files of the bundle with the bytecode of what an earlier command of the same name called.
 *
 * V8 compiles a function when it is first called, and one play calls some two thousand: 45 ms of its 290. Node's own
 * compile cache is made when a file is loaded, before anything is called, so it holds none of them. Here the first
 * complete run of a command leaves what it has compiled beside the bundle. It begins with nothing, since all that is
 * loaded is kept, and loading takes time: what the build has left is twice what most commands call. Who may not write
 * there goes on with that. V8 refuses bytecode of another version of itself, but believes every other byte: a file gets its
 * name when all of it is on the disk, and the name says of which build it is.
 */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Script } from 'node:vm'

export type Bundle = {
  /** What a file of the bundle exports; its code runs with the first call. */
  load(name: string): unknown
  /** Writes the bytecode of all that was loaded to where the next run of this command looks, if it found none there. */
  keep(): void
  /** Writes the bytecode of each file that was loaded to where `fileOf` says. Throws what the disk says. */
  write(fileOf: (name: string) => string): void
}

export type BundleOptions = {
  /** Folder of the bundle. */
  home: string
  /** Tells this build of it from others. */
  build: string
  /** The command, in letters that a file name may have. Undefined: bytecode of the build is good enough, none is kept. */
  command: string | undefined
}

/** The bytecode that a build leaves beside a file of its bundle, for all commands. */
export const builtBytecode = (name: string): string => `${name}.bytecode`

/** Opens the bundle in a folder; nothing is read before it is asked for. */
export function openBundle({ home, build, command }: BundleOptions): Bundle {
  const native = createRequire(join(home, 'main.cjs'))
  const cache = join(home, 'cache')
  const modules = new Map<string, { exports: unknown }>()
  const scripts = new Map<string, Script>()
  let isComplete = true

  const isKept = (): boolean => command !== undefined && isWritable(home)
  const keptIn = (name: string): string => join(cache, `${command}-${name}-${build}`)

  function load(name: string): unknown {
    const known = modules.get(name)
    if (known !== undefined) return known.exports
    const file = join(home, name)
    const kept = command === undefined ? undefined : readIfThere(keptIn(name))
    const cachedData = kept ?? (isKept() ? undefined : readIfThere(join(home, builtBytecode(name))))
    // esbuild writes ASCII: one byte a character is read and kept at half the cost.
    const code = `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'latin1')}\n})`
    const script = new Script(code, { filename: file, ...(cachedData !== undefined && { cachedData }) })
    if (kept === undefined || script.cachedDataRejected === true) isComplete = false
    const module = { exports: {} }
    modules.set(name, module)
    scripts.set(name, script)
    script.runInThisContext()(module.exports, requireOf, module, file, home)
    return module.exports
  }

  const requireOf = (name: string): unknown =>
    name.startsWith('./') && name.endsWith('.cjs') ? load(name.slice(2)) : native(name)

  const write = (fileOf: (name: string) => string): void => {
    for (const [name, script] of scripts) writeWhole(fileOf(name), script.createCachedData())
  }

  return {
    load,
    write,
    keep: () => {
      if (isComplete || command === undefined) return
      try {
        mkdirSync(cache, { mode: 0o700, recursive: true })
        write(keptIn)
      } catch {
        // A read-only /usr, a full disk, somebody who is not root: the next command is as slow as this one was.
      }
    },
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}

/** The file is there with all its bytes or not at all, also after a power cut. */
function writeWhole(file: string, content: Buffer): void {
  const unfinished = `${file}.${process.pid}`
  try {
    const descriptor = openSync(unfinished, 'w', 0o600)
    try {
      for (let done = 0; done < content.length; ) done += writeSync(descriptor, content, done)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(unfinished, file)
  } catch (error) {
    rmSync(unfinished, { force: true })
    throw error
  }
}
