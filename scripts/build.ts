/**
 * Bundles src/main.ts into dist/: packages that few commands need in files of their own, the compiled add-ons next to
 * them, and the bytecode of what a play calls first.
 * Whoever changes the layout of dist/ changes bin/tspod and scripts/install.sh with it.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')
const DIST = join(ROOT, 'dist')
/** A build that fails leaves the last good one in place. */
const WORKSHOP = join(ROOT, `dist.new-${process.pid}`)
/** Called as it will be: our own add-ons are looked for in a folder of that name. */
const UNFINISHED = join(WORKSHOP, 'dist')
const OLD = join(ROOT, `dist.old-${process.pid}`)

/** Compiled add-ons by the name their package asks `bindings` for. */
const ADDONS: Record<string, string> = {
  'node_sqlite3.node': 'node_modules/sqlite3/build/Release/node_sqlite3.node',
  'notify.node': 'node_modules/sd-notify/build/Release/notify.node',
}

const OWN_ADDONS = ['digest', 'namespaces', 'packet', 'spawn', 'syscalls']

const DIGEST_LENGTH = 16

/** A play that ends where the image is looked for: the build's machine may have no runtime. */
const WARMING_PLAY = `
apiVersion: v1
kind: ConfigMap
metadata: {name: warm}
data: {key: value}
---
apiVersion: v1
kind: Pod
metadata: {name: warm, labels: {app: warm}}
spec:
  containers:
    - name: warm
      image: localhost/tspod-warming:none
      imagePullPolicy: Never
      command: [sh, -c, exit]
      env: [{name: KEY, valueFrom: {configMapKeyRef: {name: warm, key: key}}}]
      ports: [{containerPort: 80}]
      resources: {limits: {memory: 64Mi, cpu: 100m}}
      volumeMounts: [{name: files, mountPath: /files}, {name: scratch, mountPath: /scratch}]
  volumes: [{name: files, configMap: {name: warm}}, {name: scratch, emptyDir: {}}]
`

/**
 * Optional parts of dbus-next: an X11 address lookup and passing of descriptors. Neither is used here, and looking
 * for them at run time would search folders above ours.
 */
const ABSENT = /^(x11|usocket)$/

/**
 * sqlite3 and sd-notify look for their add-on through `bindings`, which searches a dozen places relative to its
 * caller's file. In the bundle there is one place: the folder of the bundle.
 */
const native: Plugin = {
  name: 'native',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^bindings$/ }, () => ({ path: 'bindings', namespace: 'addon' }))
    onLoad({ filter: /.*/, namespace: 'addon' }, () => ({
      // In a variable: esbuild takes `require('./' + name)` for a wish to bundle everything that might match.
      contents:
        "module.exports = name => { const file = './' + name.replace(/(\\.node)?$/, '.node'); return require(file) }",
    }))
    onResolve({ filter: ABSENT }, ({ path }) => ({ path, namespace: 'absent' }))
    onLoad({ filter: /.*/, namespace: 'absent' }, ({ path }) => ({
      contents: `throw Object.assign(new Error('${path} is not part of tspod'), { code: 'MODULE_NOT_FOUND' })`,
    }))
  },
}

/**
 * Packages that few commands load, each a file of its own. They know nothing of tspod, so that no class exists twice.
 */
const APART = ['dbus-next', 'execa', 'winston']

const apart: Plugin = {
  name: 'apart',
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`^(${APART.join('|')})$`) }, ({ path, kind }) =>
      kind === 'dynamic-import' ? { path: `./${path}.cjs`, external: true } : undefined,
    )
  },
}

/**
 * What dbus-next loads and does not need here, 9 ms of each play outside a unit: cryptography for a way to log in that
 * we do not use, loaded when it is asked for all the same, and XML for introspection, which we never do.
 */
const slim: Plugin = {
  name: 'slim',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(crypto|xml2js)$/ }, ({ path, importer }) =>
      importer.includes('/node_modules/dbus-next/') ? { path, namespace: 'slim' } : undefined,
    )
    onLoad({ filter: /^crypto$/, namespace: 'slim' }, () => ({
      contents: `const { getBuiltinModule } = process
        for (const name of ['createHash', 'randomBytes'])
          exports[name] = (...args) => getBuiltinModule('node:crypto')[name](...args)`,
    }))
    onLoad({ filter: /^xml2js$/, namespace: 'slim' }, () => ({
      contents: 'exports.Parser = exports.Builder = class {}',
    }))
  },
}

/** `long` compiles a piece of WebAssembly when it is loaded, which takes longer than all that is ever counted with it. */
const NO_WASM = { WebAssembly: 'undefined' }

/**
 * CommonJS, in one file: loading the same code as a dozen ES modules takes 25 ms longer. Dynamic imports stay lazy
 * inside the file. The entry answers `--version` by itself; it is no part of the others, whose digest it knows.
 */
async function bundle(): Promise<void> {
  const options = {
    outdir: UNFINISHED,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    // A native import() would start the ES module loader for one more file.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.dirname': '__dirname', 'import.meta.url': '__filename' },
    minifyWhitespace: true,
    logLevel: 'warning',
  } as const
  const main = join(ROOT, 'src', 'main.ts')
  await Promise.all([
    build({ ...options, entryPoints: { main }, plugins: [native, apart] }),
    build({ ...options, entryPoints: { prober: join(ROOT, 'src', 'prober.ts') }, plugins: [native, apart] }),
    build({
      ...options,
      define: { ...options.define, ...NO_WASM },
      entryPoints: Object.fromEntries(APART.map(name => [name, name])),
      plugins: [native, slim],
    }),
  ])
  const define = { ...options.define, BUILD: JSON.stringify(digest()) }
  await build({ ...options, define, entryPoints: { tspod: join(ROOT, 'src', 'tspod.ts') } })
}

/** Names this bundle's bytecode: that of another one would be believed. */
function digest(): string {
  const hash = createHash('sha256')
  for (const name of ['main', ...APART]) hash.update(readFileSync(join(UNFINISHED, `${name}.cjs`)))
  return hash.digest('hex').slice(0, DIGEST_LENGTH)
}

async function main(): Promise<void> {
  await bundle()
  for (const [name, source] of Object.entries(ADDONS)) copyFileSync(join(ROOT, source), join(UNFINISHED, name))
  for (const name of OWN_ADDONS) compile(name)
  warm()
  // The exit hooks of running pods may call tspod at any moment.
  if (existsSync(DIST)) renameSync(DIST, OLD)
  renameSync(UNFINISHED, DIST)
  // One that still runs from there may be adding to its bytecode.
  rmSync(OLD, { recursive: true, force: true, maxRetries: 5 })
}

/** Our own add-ons are one C file each against Node's stable ABI: no build system, a quarter of a second. */
function compile(name: string): void {
  const headers = join(process.execPath, '../../include/node')
  const flags = ['-shared', '-fPIC', '-O2', '-fvisibility=hidden', '-Wall', '-Wextra', `-I${headers}`]
  execFileSync('cc', [...flags, join(ROOT, 'src', `${name}.c`), '-o', join(UNFINISHED, `${name}.node`)], {
    stdio: 'inherit',
  })
}

/** Runs the warming play and leaves the bytecode of what it called beside each file of the bundle. */
function warm(): void {
  const scratch = mkdtempSync(join(tmpdir(), 'tspod-warm-'))
  try {
    const args = ['--root', join(scratch, 'root'), '--runroot', join(scratch, 'run'), 'play', 'kube', '-']
    const argv = [join(ROOT, 'scripts', 'warm.ts'), UNFINISHED, ...args]
    const { status, stderr } = spawnSync(process.execPath, argv, { input: WARMING_PLAY, encoding: 'utf8' })
    if (status !== 125 || !stderr.includes('image not known')) throw new Error(`the bundle does not work: ${stderr}`)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

try {
  await main()
} finally {
  rmSync(WORKSHOP, { recursive: true, force: true })
}
