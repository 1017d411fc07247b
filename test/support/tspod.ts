/** The built tspod, run inside a cell or a machine, and a few manifests small enough to read in a test. */
import { join } from 'node:path'
import type { Finished } from '../../src/process.ts'
import { type CellOptions, startCell } from './cell.ts'
import type { ExecOptions, Place } from './place.ts'

export const DEMO_IMAGE = 'localhost/tspod-demo:latest'
/** Ends at once on TERM, as a well-behaved program does. */
export const WAIT_COMMAND = "trap 'exit 0' TERM; sleep 100000 & wait"

/** Runs `tspod …` inside `place`. */
export const tspod = (place: Place, args: readonly string[], options?: ExecOptions): Promise<Finished> =>
  place.exec([launcher(place), ...args], options)

export const launcher = (place: Place): string => join(place.checkout, 'bin/tspod')
export const example = (place: Place, name: string): string => join(place.checkout, 'examples/manifests', name)

/** `tspod …` that has to succeed; answers its standard output. Throws with everything it said otherwise. */
export async function succeeds(place: Place, args: readonly string[], options?: ExecOptions): Promise<string> {
  const finished = await tspod(place, args, options)
  if (finished.exitCode === 0) return finished.stdout
  throw new Error(`tspod ${args.join(' ')} ended with ${finished.exitCode}:\n${finished.stderr}${finished.stdout}`)
}

/** A cell in which one pod came and went already: what is made once per installation is there. */
export async function readyCell(options: CellOptions = {}): Promise<Place> {
  const place = await startCell(options)
  try {
    await warmUp(place)
  } catch (error) {
    await place.remove()
    throw error
  }
  return place
}

/** Plays one pod and takes it down, so that leak counters start after everything that is made once per runtime. */
export async function warmUp(place: Place, runtime?: string): Promise<void> {
  const chosen = runtime === undefined ? [] : ['--runtime', runtime]
  const text = podText('warm-up', { script: WAIT_COMMAND, port: 18_999 })
  await succeeds(place, [...chosen, 'kube', 'play', '-'], { input: text })
  await succeeds(place, ['kube', 'down', '-'], { input: text })
}

export type PodWish = {
  /** A line of shell for each container; by default one that waits for TERM. */
  script?: string
  scripts?: string[]
  restartPolicy?: 'Always' | 'OnFailure' | 'Never'
  /** Published on the same port of the host. */
  port?: number
}

/** A pod as YAML (JSON is YAML); containers are named c1, c2, … */
export function podText(name: string, wish: PodWish = {}): string {
  const scripts = wish.scripts ?? [wish.script ?? WAIT_COMMAND]
  const ports = wish.port === undefined ? [] : [{ containerPort: wish.port, hostPort: wish.port }]
  const containers = scripts.map((script, index) => ({
    name: `c${index + 1}`,
    image: DEMO_IMAGE,
    command: ['sh', '-c', script],
    ...(index === 0 && ports.length > 0 ? { ports } : {}),
  }))
  const spec = { restartPolicy: wish.restartPolicy ?? 'Always', terminationGracePeriodSeconds: 5, containers }
  return `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }, null, 2)}\n`
}

/** A pod with all of its spec, and what else is in its metadata, as YAML. */
export const specText = (name: string, spec: object, metadata: object = {}): string =>
  `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, ...metadata }, spec })}\n`

/** One row of `tspod ps -a --format json`. */
export type ListedContainer = {
  id: string
  name: string
  pod: string
  state: string
  status?: string
  restarts: number
  pid?: number
  exitCode?: number
  ready?: boolean
}

export const containers = async (place: Place): Promise<ListedContainer[]> =>
  ourNames(await succeeds(place, ['ps', '-a', '--format', 'json']))

export type ListedPod = { id: string; name: string; phase: string; ips: string[]; restarts: number; ready: number }

export const pods = async (place: Place): Promise<ListedPod[]> =>
  ourNames(await succeeds(place, ['pod', 'ps', '--format', 'json']))

/** The rows without Podman's names: some of those tell an age, and two looks at the same thing would differ. */
function ourNames<Row>(text: string): Row[] {
  const rows = JSON.parse(text) as Record<string, unknown>[]
  return rows.map(row => Object.fromEntries(Object.entries(row).filter(([name]) => /^[a-z]/.test(name))) as Row)
}

/** Removes every pod of the installation, by name. */
export async function takeDownAll(place: Place): Promise<void> {
  const names = (await pods(place)).map(({ name }) => name)
  if (names.length > 0)
    await succeeds(place, ['kube', 'down', '-'], { input: names.map(name => podText(name)).join('') })
  // With the last pod that waited for a clock goes what waited for it: the next test starts without.
  await place.sh('for i in $(seq 100); do pgrep -x timekeeper >/dev/null || break; sleep 0.1; done')
}
