/**
 * Plays a manifest with the built tspod, shows what runs, and asks its first published TCP port for a page:
 *
 *   node scripts/play.ts examples/manifests/01-hello.yaml
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseAllDocuments } from 'yaml'
import { DEMO_IMAGE, hasImage, makeDemoImage } from './demo-image.ts'

/** How long a server may take from its start to its first answer. */
const ANSWER_DEADLINE_MS = 10_000
const PAUSE_MS = 50

type Pod = { name: string; ports: { hostPort?: number; hostIp: string; protocol: string }[] }

function tspod(...args: string[]): string {
  const launcher = join(import.meta.dirname, '..', 'bin', 'tspod')
  return execFileSync(launcher, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

async function play(file: string): Promise<void> {
  if (!hasImage(DEMO_IMAGE)) makeDemoImage()
  process.stdout.write(tspod('play', 'kube', '--replace', file))
  console.log(`\n${tspod('ps')}`)
  const names = namesOfPods(readFileSync(file, 'utf8'))
  const pods = (JSON.parse(tspod('pod', 'ps', '--format', 'json')) as Pod[]).filter(pod => names.includes(pod.name))
  const port = pods.flatMap(pod => pod.ports).find(port => port.hostPort !== undefined && port.protocol === 'tcp')
  if (port === undefined) return console.log(`${file} publishes no TCP port`)
  const url = `http://${port.hostIp === '' || port.hostIp === '0.0.0.0' ? '127.0.0.1' : port.hostIp}:${port.hostPort}/`
  console.log(`${url} answers: ${await firstLine(url)}`)
}

const namesOfPods = (text: string): string[] =>
  parseAllDocuments(text)
    .map(document => document.toJS() as { kind: string; metadata: { name: string } })
    .filter(object => object.kind === 'Pod')
    .map(object => object.metadata.name)

/** The first line of the answer; waits for a server that is still starting. */
async function firstLine(url: string): Promise<string> {
  const giveUpAt = performance.now() + ANSWER_DEADLINE_MS
  for (;;) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(1000) })
      if (!answer.ok) throw new Error(`${url} answers with status ${answer.status}`)
      return (await answer.text()).split('\n')[0]!
    } catch (error) {
      if (performance.now() > giveUpAt) throw new Error(`${url} does not answer`, { cause: error })
      await sleep(PAUSE_MS)
    }
  }
}

try {
  await play(process.argv[2]!)
} catch (error) {
  // tspod has said on its own standard error what was wrong.
  if (!(error instanceof Error && 'status' in error)) console.error(error)
  process.exitCode = 1
}
