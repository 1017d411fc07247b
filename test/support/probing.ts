/** Pods with probes and hooks: played in a cell, and looked at until they are as a test wants them. */
import type { Place } from './place.ts'
import { containers, DEMO_IMAGE, type ListedContainer, pods, specText, succeeds } from './tspod.ts'

export type Probed = ListedContainer & { ready: boolean; health: string | null; message?: string }

/** A container of the demo image that runs a line of shell. */
export const shell = (name: string, script: string, more: object = {}): object => ({
  name,
  image: DEMO_IMAGE,
  command: ['sh', '-c', script],
  ...more,
})

/** What tests of probes and hooks ask of a cell. */
export const probing = (cell: () => Place) => ({
  play: (name: string, list: object[], more: object = {}): Promise<string> =>
    succeeds(cell(), ['kube', 'play', '-'], {
      input: specText(name, { terminationGracePeriodSeconds: 5, containers: list, ...more }),
    }),
  container: async (name: string): Promise<Probed> => {
    const found = (await containers(cell())).find(container => container.name === name)
    if (found === undefined) throw new Error(`no container ${name}`)
    return found as Probed
  },
  ready: async (pod: string): Promise<number> => (await pods(cell())).find(({ name }) => name === pod)?.ready ?? -1,
  /** `REASON: MESSAGE` of all events, one a line. */
  told: async (): Promise<string> => {
    const lines = (await succeeds(cell(), ['events', '--stream=false', '--format', 'json'])).trim().split('\n')
    return lines
      .map(line => JSON.parse(line) as { Reason: string; Message: string })
      .map(({ Reason, Message }) => `${Reason}: ${Message}`)
      .join('\n')
  },
  probers: async (): Promise<string[]> =>
    (await cell().sh("pgrep -f 'dist/[p]rober.cjs'")).stdout.split('\n').filter(Boolean),
})
