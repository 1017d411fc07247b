/** The first thing that runs: answers `--version` by itself, so that it costs what starting Node costs. */
import { VERSION } from './version.ts'

const [first, ...more] = process.argv.slice(2)
if ((first === '--version' || first === '-v') && more.length === 0) process.stdout.write(`tspod version ${VERSION}\n`)
else void import('./main.ts')
