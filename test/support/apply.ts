/** Manifests for tests of `tspod apply`, and what it says. */
import type { ApplyPlan, ApplyReport } from '../../src/engine/index.ts'
import type { Place } from './place.ts'
import { DEMO_IMAGE, tspod, WAIT_COMMAND } from './tspod.ts'

type Document = { apiVersion: string; kind: string; metadata: { name: string; annotations?: object }; spec?: object }

/** Documents as one manifest. */
export const manifest = (...documents: object[]): string =>
  documents.map(document => `---\n${JSON.stringify(document)}\n`).join('')

/** A pod of one container that waits for TERM; `container` and `spec` go on top. */
export const pod = (
  name: string,
  container: object = {},
  { annotations = {}, ...spec }: Record<string, unknown> = {},
): Document => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, annotations: annotations as object },
  spec: {
    terminationGracePeriodSeconds: 5,
    containers: [{ name: 'main', image: DEMO_IMAGE, command: ['sh', '-c', WAIT_COMMAND], ...container }],
    ...spec,
  },
})

/** The whole ConfigMap, or Secret, as variables. */
export const envFrom = (kind: 'configMapRef' | 'secretRef', name: string): object => ({
  envFrom: [{ [kind]: { name } }],
})

export const configMap = (name: string, data: Record<string, string>): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
})

export const secret = (name: string, stringData: Record<string, string>): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData,
})

type Applied = { exitCode: number; stdout: string; stderr: string; report: ApplyReport }

/** Applies as app `shop`, and answers `kind/name outcome` for each object besides. */
export async function apply(place: Place, input: string, ...flags: string[]): Promise<Applied & { told: string[] }> {
  const done = await tspod(place, ['apply', '--app', 'shop', '-q', '-o', 'json', ...flags, '-f', '-'], { input })
  if (done.stdout === '') throw new Error(`apply ended with ${done.exitCode}: ${done.stderr}`)
  const report = JSON.parse(done.stdout) as ApplyReport
  const told = report.results.map(({ kind, name, outcome }) => `${kind.toLowerCase()}/${name} ${outcome}`)
  return { exitCode: done.exitCode ?? -1, stdout: done.stdout, stderr: done.stderr, report, told }
}

/** What an apply would do. */
export async function diff(
  place: Place,
  input: string,
  ...flags: string[]
): Promise<{ plan: ApplyPlan; exitCode: number }> {
  const done = await tspod(place, ['diff', '--app', 'shop', '-q', '-o', 'json', ...flags, '-f', '-'], { input })
  if (done.stdout === '') throw new Error(`diff ended with ${done.exitCode}: ${done.stderr}`)
  return { plan: (JSON.parse(done.stdout) as { plan: ApplyPlan }).plan, exitCode: done.exitCode ?? -1 }
}
