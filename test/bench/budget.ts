/** What is compared, and how much of Podman's time tspod may take: the budgets of the design. */
import type { Shape } from './manifests.ts'

export type Case = {
  name: string
  shape: Shape
  /** Largest allowed ratio to Podman. */
  play: number
  down: number
  /** Largest allowed ratio to the bare floor, for `play` and `down` alike. */
  floor?: number
  /** By systemd: `systemctl start` and `stop` of the template that each brings; the floor has one of its bare steps. */
  unit?: true
}

export const CASES: readonly Case[] = [
  { name: '1 pod × 1', shape: { pods: 1, containers: 1, inits: 0 }, play: 0.6, down: 0.5, floor: 2 },
  { name: '1 pod × 10', shape: { pods: 1, containers: 10, inits: 0 }, play: 0.5, down: 0.5 },
  { name: '10 pods × 1', shape: { pods: 10, containers: 1, inits: 0 }, play: 0.35, down: 0.4 },
  { name: '30 pods × 1', shape: { pods: 30, containers: 1, inits: 0 }, play: 0.3, down: 0.3, floor: 1.3 },
  { name: '1 pod, 5 inits', shape: { pods: 1, containers: 1, inits: 5 }, play: 0.4, down: 0.5 },
  { name: '1 pod × 1, as a unit', shape: { pods: 1, containers: 1, inits: 0 }, play: 0.6, down: 0.6, unit: true },
]

/** `--quick`: enough to see that nothing broke. */
export const QUICK_CASES: readonly string[] = ['1 pod × 1', '10 pods × 1']

/** Resident helpers per pod, as a ratio to Podman's. */
export const MEMORY_BUDGET = 0.5
/** `tspod --version` against `podman --version`. */
export const VERSION_BUDGET = 1.5
