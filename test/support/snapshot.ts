/** Prints the leak counters of the host it runs on. usage: snapshot.ts [ROOT RUNROOT] */
import { pathsFor } from '../../src/paths.ts'
import { snapshot } from './leaks.ts'

const [root, runRoot] = process.argv.slice(2)
console.log(JSON.stringify(snapshot(pathsFor(root, runRoot))))
