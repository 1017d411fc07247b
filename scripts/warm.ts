/**
 * Runs a command of a bundle in this process and leaves the bytecode of all it called beside the bundle's files.
 *
 * usage: warm.ts DIST ARG…
 */
import { join } from 'node:path'
import { builtBytecode, openBundle } from '../src/bytecode.ts'

const [home = '', ...args] = process.argv.slice(2)
process.argv.splice(2, process.argv.length, ...args)
const bundle = openBundle({ home, build: '', command: undefined })
bundle.load('main.cjs')
process.once('exit', () => bundle.write(name => join(home, builtBytecode(name))))
