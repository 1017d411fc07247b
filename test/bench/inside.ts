/**
 * Runs in the booted Debian: takes the samples and prints them as JSON.
 *
 * usage: inside.ts '{"rounds":5,"cases":["1 pod × 1"],"contenders":["podman","floor","tspod"]}'
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { mustSucceed, run } from '../../src/process.ts'
import { buildImage } from '../support/image.ts'
import { CASES, type Case } from './budget.ts'
import { setUpFloor } from './floor-setup.ts'
import { IMAGE, manifest } from './manifests.ts'
import { type Contender, type Measured, type Samples, sampleKey, VERSION_KEY } from './report.ts'

export type Order = { rounds: number; cases: string[]; contenders: Contender[] }

type Argv = readonly [string, ...string[]]
type Tool = { play(work: Case): Argv; down(work: Case): Argv; env?: Record<string, string>; version?: Argv }

/** Not /tmp: that is a tmpfs inside, and everything measured should live on a disk. */
const WORK = '/var/bench'
const FLOOR = join(WORK, 'floor')
/** As a user has it, from `make install`; the checkout is read-only here, and Node keeps a cache beside the bundle. */
const TSPOD = '/usr/local/bin/tspod'
/** What may stay resident for a pod, besides the containers' own processes and aardvark-dns, one per network. */
const HELPERS = /^(conmon|catatonit|pause|rootlessport|pasta|netavark|MainThread|node)$/
/** More --version rounds than the rest: each is short and noisy. */
const VERSION_ROUNDS = 4
const SETTLE_ATTEMPTS = 50
/** Characters of what a failed command said. */
const MAX_TROUBLE = 2_000

const troubles: string[] = []
const samples: Samples = {}

const shapeWords = ({ shape }: Case): [string, string, string] => [
  String(shape.pods),
  String(shape.containers),
  String(shape.inits),
]
const file = (who: Contender, work: Case): string => join(WORK, `${who}-${CASES.indexOf(work)}.yaml`)
const floorScript = join(import.meta.dirname, 'floor.sh')

const TOOLS: Record<Contender, Tool> = {
  podman: {
    play: work => ['podman', 'kube', 'play', '--log-driver', 'k8s-file', file('podman', work)],
    down: work => ['podman', 'kube', 'down', file('podman', work)],
    version: ['podman', '--version'],
  },
  tspod: {
    play: work => [TSPOD, 'kube', 'play', '--runtime', 'crun', '--log-driver', 'k8s-file', file('tspod', work)],
    down: work => [TSPOD, 'kube', 'down', file('tspod', work)],
    version: [TSPOD, '--version'],
  },
  floor: {
    play: work => [floorScript, 'up', ...shapeWords(work)],
    down: work => [floorScript, 'down', ...shapeWords(work)],
    env: { FLOOR },
  },
}

/** The template of each contender, for its own file. */
function unitTool(who: Contender): Tool {
  const systemctl = (verb: string, work: Case): Argv => {
    const path = file(who, work).replace(/-/g, '\\x2d').replaceAll('/', '-')
    return ['systemctl', verb, `${who}-kube@${path}.service`]
  }
  return { play: work => systemctl('start', work), down: work => systemctl('stop', work) }
}

/** A unit that does nothing but the bare steps: what is left of a start and a stop is systemd's own time. */
async function writeFloorUnit(cases: readonly Case[]): Promise<void> {
  const work = cases.find(({ unit }) => unit)
  if (work === undefined) return
  const lines = [
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    'Delegate=yes',
    'KillMode=process',
    `Environment=FLOOR=${FLOOR}`,
    `ExecStart=${[floorScript, 'up', ...shapeWords(work)].join(' ')}`,
    `ExecStop=${[floorScript, 'down', ...shapeWords(work)].join(' ')}`,
  ]
  writeFileSync('/etc/systemd/system/floor-kube@.service', `${lines.join('\n')}\n`)
  mustSucceed(await run({ argv: ['systemctl', 'daemon-reload'] }), 'loading the unit of the floor')
}

async function measure(order: Order): Promise<Measured> {
  mkdirSync(WORK, { recursive: true })
  buildImage(IMAGE)
  await setUpFloor(FLOOR)
  if (order.contenders.includes('tspod')) {
    mustSucceed(await run({ argv: ['sh', '/src/scripts/install.sh', 'install', '/usr/local'] }), 'installing tspod')
  }
  const cases = CASES.filter(({ name }) => order.cases.includes(name))
  if (order.contenders.includes('floor')) await writeFloorUnit(cases)
  for (const who of order.contenders) {
    for (const work of cases) writeFileSync(file(who, work), manifest(work.shape, `${who}-${CASES.indexOf(work)}-`))
  }
  for (const work of cases) {
    // Round 0 warms caches and makes what is made once (networks, Podman's pause image); it does not count.
    for (let round = 0; round <= order.rounds; round++) {
      for (const who of order.contenders) await sample(who, work, round > 0)
    }
  }
  for (let round = 0; round <= order.rounds * VERSION_ROUNDS; round++) {
    for (const who of order.contenders) {
      const { version, env } = TOOLS[who]
      if (version === undefined) continue
      const took = await timed(version, env)
      if (round > 0) keep(VERSION_KEY, who, took)
    }
  }
  return { versions: await versions(order.contenders), samples, troubles }
}

async function sample(who: Contender, work: Case, counts: boolean): Promise<void> {
  const tool = work.unit ? unitTool(who) : TOOLS[who]
  const before = helpers()
  const played = await timed(tool.play(work), tool.env)
  const expected = work.shape.pods * work.shape.containers
  const up = await settled(expected)
  if (up !== expected) troubles.push(`${who}: ${work.name}: ${up} of ${expected} containers run after play`)
  await commandsEnded(before)
  const resident = helperMemory(before) / work.shape.pods
  const downed = await timed(tool.down(work), tool.env)
  const left = await settled(0)
  if (left !== 0) troubles.push(`${who}: ${work.name}: ${left} containers run after down`)
  if (!counts) return
  keep(sampleKey('play', work.name), who, played)
  keep(sampleKey('down', work.name), who, downed)
  keep(sampleKey('memory', work.name), who, resident)
}

function keep(key: string, who: Contender, value: number): void {
  const taken = samples[key] ?? {}
  samples[key] = { ...taken, [who]: [...(taken[who] ?? []), value] }
}

async function timed(argv: Argv, env: Record<string, string> = {}): Promise<number> {
  const started = systemClock.monotonicMs()
  const finished = await run({ argv, env: { HOME: '/root', ...env } })
  const ms = systemClock.monotonicMs() - started
  if (finished.exitCode !== 0) {
    const said = finished.stderr.trim().slice(0, MAX_TROUBLE)
    troubles.push(`${argv.slice(0, 3).join(' ')} ended with ${finished.exitCode}: ${said}`)
  }
  return ms
}

/** How many containers run; a start returns before its shell is seen, so wait a little for `expected`. */
async function settled(expected: number): Promise<number> {
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS && containersUp() !== expected; attempt++) await systemClock.sleep(20)
  return containersUp()
}

/** systemd says that a unit is up before the command that made it so has ended. */
async function commandsEnded(before: ReadonlySet<number>): Promise<void> {
  const isCommand = ({ pid, comm }: { pid: number; comm: string }): boolean =>
    /^(podman|MainThread|node)$/.test(comm) && !before.has(pid) && pid !== process.pid
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS && processes().some(isCommand); attempt++) await systemClock.sleep(20)
}

/** Containers whose first process runs: in each, process 1 is a shell with the trap of the manifest. */
function containersUp(): number {
  return processes().filter(({ pid, state }) => {
    if (state === 'Z' || !/^NSpid:.*\t1$/m.test(readText(`/proc/${pid}/status`))) return false
    const [shell, flag, script] = readText(`/proc/${pid}/cmdline`).split('\0')
    return shell === 'sh' && flag === '-c' && script?.startsWith('trap "exit 0" TERM') === true
  }).length
}

/** Sum of the proportional set sizes of all helper processes but those of `before`, in kB. */
function helperMemory(before: ReadonlySet<number>): number {
  const pids = [...helpers()].filter(pid => !before.has(pid))
  return pids.reduce(
    (sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(readText(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0),
    0,
  )
}

const helpers = (): Set<number> =>
  new Set(
    processes()
      .filter(({ pid, comm }) => HELPERS.test(comm) && pid !== process.pid)
      .map(({ pid }) => pid),
  )

function processes(): { pid: number; comm: string; state: string }[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      const status = /^\d+ \((.*)\) (\S)/s.exec(readText(`/proc/${name}/stat`))
      return status === null ? [] : [{ pid: Number(name), comm: status[1]!, state: status[2]! }]
    })
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

async function versions(contenders: readonly Contender[]): Promise<Record<string, string>> {
  const asked: Record<string, Argv> = {
    podman: ['podman', '--version'],
    crun: ['crun', '--version'],
    conmon: ['conmon', '--version'],
    netavark: ['/usr/lib/podman/netavark', '--version'],
    ...(contenders.includes('tspod') ? { tspod: [TSPOD, '--version'] as Argv } : {}),
  }
  const found: Record<string, string> = {}
  for (const [name, argv] of Object.entries(asked)) {
    const { stdout } = await run({ argv, env: { HOME: '/root' } })
    found[name] = /\d+(\.\d+)+\S*/.exec(stdout)?.[0] ?? stdout.split('\n')[0] ?? ''
  }
  return found
}

console.log(JSON.stringify(await measure(JSON.parse(process.argv[2]!) as Order)))
