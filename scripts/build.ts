/**
 * Bundles src/main.ts into dist/: one chunk per lazily imported part, the compiled add-ons next to them, and
 * Node's compile cache warmed, so that a command costs little more than starting Node.
 * Whoever changes the layout of dist/ changes bin/tspod and scripts/install.sh with it.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')
const DIST = join(ROOT, 'dist')

/** Compiled add-ons by the name their package asks `bindings` for. */
const ADDONS: Record<string, string> = {
  'node_sqlite3.node': 'node_modules/sqlite3/build/Release/node_sqlite3.node',
  'notify.node': 'node_modules/sd-notify/build/Release/notify.node',
}

/** Commands that leave the code of every start in the compile cache; none of them touches the host. */
const WARMING = [['--version'], ['--help'], ['play', 'kube', '--help'], ['ps', '--help']]

/**
 * sqlite3 and sd-notify look for their add-on through `bindings`, which searches a dozen places relative to its
 * caller's file. In a bundle there is one place: this folder.
 */
const addons: Plugin = {
  name: 'addons',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^bindings$/ }, () => ({ path: 'bindings', namespace: 'addons' }))
    onLoad({ filter: /.*/, namespace: 'addons' }, () => ({
      contents: "module.exports = name => require('./' + (name.endsWith('.node') ? name : name + '.node'))",
    }))
  },
}

async function main(): Promise<void> {
  const entry = join(ROOT, 'src', 'main.ts')
  if (!existsSync(entry)) throw new Error(`${entry} is missing`)
  rmSync(DIST, { recursive: true, force: true })
  mkdirSync(DIST)
  await build({
    entryPoints: { tspod: entry },
    outdir: DIST,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    chunkNames: 'chunk-[name]-[hash]',
    // CommonJS packages in an ESM bundle still call `require` for Node's own modules and the add-ons.
    banner: {
      js: "import { createRequire as createBundleRequire } from 'node:module'\nconst require = createBundleRequire(import.meta.url)",
    },
    minifyWhitespace: true,
    plugins: [addons],
    logLevel: 'warning',
  })
  for (const [name, source] of Object.entries(ADDONS)) copyFileSync(join(ROOT, source), join(DIST, name))
  for (const args of WARMING) execFileSync(join(ROOT, 'bin', 'tspod'), args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

await main()
