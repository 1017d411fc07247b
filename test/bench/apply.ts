/**
 * `make bench-apply`: boots a Debian 13 and measures what apply and GitOps promise, each against what it is promised
 * to stay close to. Rounds alternate, so that whatever else the machine does meets both alike.
 */
import { systemClock } from '../../src/clock.ts'
import { startMachine } from '../support/machine.ts'
import { program } from '../support/place.ts'
import { machineLack } from '../support/tree.ts'
import { IMAGE } from './manifests.ts'

const ROUNDS = 11
const FEW = 7
/** After many pods have started, until nothing is busy with that any more. */
const SETTLE_MS = 3000
const TIMEOUT_MS = 20 * 60_000

/** A pod that notes when its program has begun, in seconds since boot. */
const pod = (name: string, value: string): string => {
  const command = ['sh', '-c', `cat /proc/uptime >/out/${name}; trap "exit 0" TERM; sleep 100000 & wait`]
  const mounted = { volumeMounts: [{ name: 'out', mountPath: '/out' }], env: [{ name: 'VALUE', value }] }
  const containers = [{ name: 'c', image: IMAGE, command, ...mounted }]
  const volumes = [{ name: 'out', hostPath: { path: '/var/bench/out' } }]
  return `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers, volumes } })}\n`
}
const names = (count: number, prefix: string): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n + 1}`)
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const round = (ms: number): string => `${Math.round(ms)} ms`

async function sh(line: string, input?: string): Promise<string> {
  const how = { timeoutMs: TIMEOUT_MS, ...(input !== undefined && { input }) }
  const { exitCode, stdout, stderr } = await machine.sh(line, how)
  if (exitCode !== 0) throw new Error(`${line}: ${exitCode}: ${stderr}${stdout}`)
  return stdout
}

/** Milliseconds of a command as a whole process, measured inside: entering the machine does not count. */
const timed = async (command: string): Promise<number> => {
  const line = `began=$(date +%s%N); ${command} >/tmp/said 2>&1 || { cat /tmp/said; exit 1; }; echo $(( $(date +%s%N) - began ))`
  return Number(await sh(line)) / 1e6
}

type Timed = (n: number) => Promise<number>

/** All of them in turn, so many times: their medians. */
async function inTurn<Of extends readonly Timed[]>(rounds: number, ...all: Of): Promise<{ [At in keyof Of]: number }> {
  const found = all.map((): number[] => [])
  for (let n = 0; n <= rounds; n++) {
    for (const [at, one] of all.entries()) {
      const ms = await one(n)
      // The first round fills caches.
      if (n > 0) found[at]?.push(ms)
    }
  }
  return found.map(median) as { [At in keyof Of]: number }
}

async function measure(): Promise<void> {
  await sh('mkdir -p /var/bench/out /var/bench/git')
  await machine.exec(program(machine, 'scripts/demo-image.ts'))
  await sh('sh /src/scripts/install.sh install /usr/local')
  await unchanged()
  await oneOfHundred()
  await commits()
}

async function unchanged(): Promise<void> {
  await sh(
    'cat >/var/bench/30.yaml',
    names(30, 'pod-')
      .map(name => pod(name, 'x'))
      .join(''),
  )
  await sh('tspod apply -q -f /var/bench/30.yaml')
  await systemClock.sleep(SETTLE_MS)
  const apply = (): Promise<number> => timed('tspod apply -q -f /var/bench/30.yaml')
  const version = (): Promise<number> => timed('tspod --version')
  const [told, bare] = await inTurn(ROUNDS, apply, version)
  console.log(`apply, 30 pods, nothing changed: ${round(told)} (at most 150); --version: ${round(bare)}`)
  const touched = async (n: number): Promise<number> => {
    await sh(`echo "# ${n}" >>/var/bench/30.yaml`)
    return apply()
  }
  const [read] = await inTurn(ROUNDS, touched, version)
  console.log(`the same after an edit that changes nothing: ${round(read)}`)
  await sh('tspod down 30')
}

/** A source of a hundred manifests in git, and one of them played by itself. */
async function oneOfHundred(): Promise<void> {
  await sh(
    'cd /var/bench/git && git init -q -b main shop && git -C shop config user.name b && git -C shop config user.email b@b',
  )
  for (const name of names(100, 'app-')) await sh(`cat >/var/bench/git/shop/${name}.yaml`, pod(name, 'x'))
  await sh('cd /var/bench/git/shop && git add -A && git commit -qm all')
  await sh(
    'tspod gitops add shop --dir /var/bench/git/shop --interval 24h --watch=false && tspod gitops reconcile shop',
  )
  await systemClock.sleep(SETTLE_MS)
  const reconcile = async (n: number): Promise<number> => {
    await sh('cat >/var/bench/git/shop/app-50.yaml', pod('app-50', `v${n}`))
    await sh('cd /var/bench/git/shop && git commit -qam x')
    return timed('tspod gitops reconcile shop')
  }
  const play = async (n: number): Promise<number> => {
    await sh('cat >/var/bench/one.yaml', pod('one', `v${n}`))
    return timed('tspod kube play --replace /var/bench/one.yaml')
  }
  const applied = async (n: number): Promise<number> => {
    await sh('cat >/var/bench/two.yaml', pod('two', `v${n}`))
    return timed('tspod apply -q --wait -f /var/bench/two.yaml')
  }
  const [whole, alone, waited] = await inTurn(FEW, reconcile, play, applied)
  const ratio = (other: number): string => `${round(other)}, ratio ${(whole / other).toFixed(2)}`
  console.log(
    `reconcile, 1 of 100 changed: ${round(whole)}; that one by kube play --replace: ${ratio(alone)} (at most 1.5)`,
  )
  console.log(`that one by apply --wait, which waits until it is up as a reconcile does: ${ratio(waited)}`)
  await sh('tspod gitops remove shop --prune; tspod kube down /var/bench/one.yaml; tspod down two')
}

/** From a commit to the new program, by the path unit, and the same pod replaced by hand. */
async function commits(): Promise<void> {
  const began = (path: string): Promise<number> => sh(`cat ${path}`).then(text => Number(text.split(' ')[0]) * 1000)
  await sh(
    'cd /var/bench/git && rm -rf shop && git init -q -b main web && git -C web config user.name b && git -C web config user.email b@b',
  )
  await sh('cat >/var/bench/git/web/web.yaml', pod('web', 'v'))
  await sh('cd /var/bench/git/web && git add -A && git commit -qm one')
  await sh('tspod systemd install && tspod gitops add web --dir /var/bench/git/web --interval 24h')
  const runs = async (name: string): Promise<void> => {
    const line = `while ! [ -s /var/bench/out/${name} ]; do sleep 0.02; done; while systemctl is-active -q tspod-gitops@web.service; do sleep 0.05; done`
    await sh(line)
    await systemClock.sleep(500)
  }
  await runs('web')
  const commit = async (n: number): Promise<number> => {
    await sh('rm /var/bench/out/web; cat >/var/bench/git/web/web.yaml', pod('web', `v${n}`))
    const at =
      Number((await sh('cd /var/bench/git/web && cut -d" " -f1 /proc/uptime && git commit -qam x')).trim()) * 1000
    await runs('web')
    return (await began('/var/bench/out/web')) - at
  }
  const byHand = async (n: number): Promise<number> => {
    await sh('cat >/var/bench/one.yaml', pod('one', `v${n}`))
    const at = Number((await sh('rm -f /var/bench/out/one; cut -d" " -f1 /proc/uptime')).trim()) * 1000
    await sh('tspod kube play --replace /var/bench/one.yaml')
    return (await began('/var/bench/out/one')) - at
  }
  const [committed, own] = await inTurn(FEW, commit, byHand)
  console.log(
    `commit to running, by the path unit: ${round(committed)}, of which the pod's own stop and start are about ${round(own)}; the rest ${round(committed - own)} (under 1000)`,
  )
}

const lack = await machineLack()
if (lack !== undefined) {
  console.error(`bench: skipped: ${lack}`)
  process.exit(0)
}
const machine = await startMachine()
try {
  await measure()
} finally {
  await machine.remove()
}
