/**
 * The Debian tree the test machine boots: built once by debootstrap, kept outside the checkout, never written
 * afterwards. A stamp next to it names what went in; a tree without the right stamp is completed or built anew.
 */
import { createHash } from 'node:crypto'
import { access, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { mustSucceed, run } from '../../src/process.ts'

const SUITE = 'trixie'
const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'dbus', 'dbus-user-session', 'libpam-systemd'],
  ...['crun', 'runc', 'conmon', 'netavark', 'aardvark-dns', 'catatonit', 'containers-storage', 'skopeo', 'podman'],
  ...['golang-github-containers-common', 'golang-github-containers-image'],
  ...[
    'passt',
    'uidmap',
    'iproute2',
    'nftables',
    'iptables',
    'procps',
    'ca-certificates',
    'busybox-static',
    'curl',
    'git',
  ],
]

/**
 * What Podman needs to run at all where no limit may be raised (machines.md): the same holds for whoever shares
 * this file, so a comparison stays fair.
 */
const CONTAINERS_CONF = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=10000:10000"]
pids_limit = 0
`

const BUILD_TIMEOUT_MS = 15 * 60_000

const cacheDirectory = (): string => process.env.TSPOD_TEST_CACHE ?? '/var/cache/tspod-test'

/** Why this host cannot build or boot the machine, in one sentence; undefined when it can. */
export async function machineLack(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'the test machine needs root on Linux'
  for (const tool of ['systemd-nspawn', 'debootstrap', 'unshare', 'nsenter', 'setpriv']) {
    const found = await run({ argv: ['sh', '-c', `command -v ${tool}`] })
    if (found.exitCode !== 0) return `${tool} is not installed (apt install systemd-container debootstrap util-linux)`
  }
  try {
    await preparedTree()
    return undefined
  } catch (error) {
    return `the Debian tree cannot be built: ${(error as Error).message}`
  }
}

/** The directory of a complete tree; builds or completes it first. Throws when the host cannot (no network). */
export async function preparedTree(): Promise<string> {
  const tree = join(cacheDirectory(), SUITE)
  const stampFile = `${tree}.stamp`
  const wanted = createHash('sha256')
    .update(JSON.stringify([SUITE, PACKAGES, CONTAINERS_CONF]))
    .digest('hex')
  const stamp = await readFile(stampFile, 'utf8').catch(() => undefined)
  if (stamp?.trim() === wanted) return tree
  if (await isBootstrapped(tree)) await complete(tree)
  else await build(tree)
  await mkdir(dirname(stampFile), { recursive: true })
  await writeFile(stampFile, `${wanted}\n`)
  return tree
}

/** True when debootstrap went through: it removes its own directory as its last act. */
async function isBootstrapped(tree: string): Promise<boolean> {
  const exists = (path: string): Promise<boolean> =>
    access(path).then(
      () => true,
      () => false,
    )
  return (await exists(join(tree, 'usr/bin/apt-get'))) && !(await exists(join(tree, 'debootstrap')))
}

async function build(tree: string): Promise<void> {
  const unfinished = `${tree}.building-${process.pid}`
  await mkdir(unfinished, { recursive: true })
  try {
    const built = await run({
      argv: ['debootstrap', '--variant=minbase', `--include=${PACKAGES.join(',')}`, SUITE, unfinished],
      timeoutMs: BUILD_TIMEOUT_MS,
    })
    mustSucceed(built, `building a Debian ${SUITE} tree`)
    await configure(unfinished)
    await rm(tree, { recursive: true, force: true })
    await rename(unfinished, tree)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

async function complete(tree: string): Promise<void> {
  const query = ['chroot', tree, 'dpkg-query', '--show', '--showformat=${Package} ${db:Status-Status}\n'] as const
  const listed = mustSucceed(await run({ argv: [...query] }), 'listing the packages of the tree').stdout.split('\n')
  const missing = PACKAGES.filter(name => !listed.includes(`${name} installed`))
  if (missing.length > 0) {
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    // `configure` has taken away the host's resolver, which the packages come by.
    await cp('/etc/resolv.conf', join(tree, 'etc/resolv.conf'), { dereference: true })
    mustSucceed(
      await run({ argv: ['chroot', tree, 'apt-get', 'update'], env, timeoutMs: BUILD_TIMEOUT_MS }),
      'apt-get update',
    )
    const install = ['chroot', tree, 'apt-get', 'install', '-y', '--no-install-recommends', ...missing] as const
    mustSucceed(await run({ argv: [...install], env, timeoutMs: BUILD_TIMEOUT_MS }), `installing ${missing.join(' ')}`)
  }
  await configure(tree)
}

/** Settles what every boot shares: limits for Podman, no apt caches to copy, no host's resolver. */
async function configure(tree: string): Promise<void> {
  await mkdir(join(tree, 'etc/containers'), { recursive: true })
  await writeFile(join(tree, 'etc/containers/containers.conf'), CONTAINERS_CONF)
  await writeFile(join(tree, 'etc/hostname'), 'tspod-test\n')
  await rm(join(tree, 'etc/resolv.conf'), { force: true })
  await writeFile(join(tree, 'etc/resolv.conf'), 'nameserver 127.0.0.1\n')
  for (const cache of ['var/cache/apt', 'var/lib/apt/lists'])
    await rm(join(tree, cache), { recursive: true, force: true })
  await mkdir(join(tree, 'src'), { recursive: true })
  await mkdir(join(tree, 'var/cache/apt/archives/partial'), { recursive: true })
}
