/**
 * What is to be seen after kill -9 of conmon, and of tspod in a start, a stop and a replacing play: `ps`, and what the
 * next command makes of it. Prints; judges nothing (that is `make fault`).
 */
import { launcher, podText, readyCell, tspod } from '../support/tspod.ts'

const TEXT = podText('seen', { scripts: ["trap 'sleep 1; exit 0' TERM; sleep 100000 & wait", 'sleep 100000'] })
const cell = await readyCell()

/** Kills a tspod some time after it was started. */
const killed = (ms: number, line: string) =>
  cell.sh(`${launcher(cell)} ${line} /tmp/seen.yaml >/dev/null 2>&1 & p=$!; sleep ${ms / 1000}; kill -9 $p`)

async function show(...args: string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await tspod(cell, args, { input: TEXT })
  const text = `${stderr}${stdout}`.trim().replaceAll(/^/gm, '    ')
  console.log(`  $ tspod ${args.join(' ')}   → exit code ${exitCode}\n${text}`)
}

const hasFsck = (await tspod(cell, ['system', 'fsck', '--help'])).exitCode === 0

async function after(what: string, ...next: string[][]): Promise<void> {
  console.log(`\n${what}`)
  await show('ps', '-a')
  if (hasFsck) await show('system', 'fsck')
  for (const args of next) {
    await show(...args)
    await show('ps', '-a')
  }
  await show('kube', 'down', '-')
  await show('ps', '-a', '-q')
}

try {
  await cell.sh('cat >/tmp/seen.yaml', { input: TEXT })
  const play = () => tspod(cell, ['kube', 'play', '-'], { input: TEXT })

  await play()
  await cell.sh("kill -9 $(pgrep -f '[c]onmon --cid' | head -1)")
  const [first = ''] = (await tspod(cell, ['ps', '-a', '-q', '--no-trunc'])).stdout.split('\n')
  await after('conmon killed', ['container', 'cleanup', first])

  for (const ms of [250, 400, 550]) {
    await killed(ms, 'kube play')
    await after(`tspod killed ${ms} ms into a play`, ['kube', 'play', '-'])
  }

  for (const ms of [250, 700]) {
    await play()
    await killed(ms, 'kube down')
    await after(`tspod killed ${ms} ms into a down`, ['kube', 'play', '-'])
  }

  for (const ms of [300, 1_500, 2_000]) {
    await play()
    await killed(ms, 'kube play --replace')
    await after(`tspod killed ${ms} ms into a replacing play`, ['kube', 'play', '--replace', '-'])
  }
} finally {
  await cell.remove()
}
