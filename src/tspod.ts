/**
 * The first thing that runs: answers `--version` by itself, so that it costs what starting Node costs, and otherwise
 * loads the bundle. Only in dist/: unbundled, src/main.ts is the program.
 */
import { openBundle } from './bytecode.ts'
import type * as Main from './main.ts'
import { VERSION } from './version.ts'

/** Filled in by the build. */
declare const BUILD: string

/** What people and exit hooks call most has bytecode of its own; for all else that of the build will do. */
const FREQUENT: Record<string, string> = {
  'kube play': 'play',
  'play kube': 'play',
  'kube down': 'down',
  apply: 'apply',
  diff: 'diff',
  'gitops reconcile': 'reconcile',
  'container cleanup': 'cleanup',
  'system tick': 'tick',
  // What the unit template calls: `systemd run play -- INSTANCE`.
  'run play': 'unit-play',
  'run stop': 'unit-stop',
  'pod ps': 'pod-ps',
  ps: 'ps',
  exec: 'exec',
  logs: 'logs',
}

/** By what stands in the arguments: one that is mistaken for another costs a few milliseconds and nothing else. */
function commandOf(args: readonly string[]): string | undefined {
  const pair = args.findIndex((word, index) => `${word} ${args[index + 1]}` in FREQUENT)
  return FREQUENT[pair < 0 ? (args[0] ?? '') : `${args[pair]} ${args[pair + 1]}`]
}

const args = process.argv.slice(2)
if ((args[0] === '--version' || args[0] === '-v') && args.length === 1) {
  process.stdout.write(`tspod version ${VERSION}\n`)
} else {
  const bundle = openBundle({ home: import.meta.dirname, build: BUILD, command: commandOf(args) })
  const { progress } = bundle.load('main.cjs') as typeof Main
  process.once('exit', code => {
    if (code === 0 && progress.verbDone) bundle.keep()
  })
}
