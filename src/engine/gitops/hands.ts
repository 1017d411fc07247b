/** What the loop works through: each a step that a test can bring itself. */
import type { Variables } from '../../kube/index.ts'
import type { Bundle } from '../../model.ts'
import type { Store } from '../state/index.ts'
import type { ApplyPlan, ApplyReport, ApplyRequest, Told } from '../types/index.ts'
import type { Claim } from './preflight.ts'
import type { SourceRecord } from './store.ts'

/** A source at one moment, complete and never changing. */
export type SourceSnapshot = {
  revision: string
  /** Where relative paths in its files begin. */
  root: string
  files: { file: string; text: string }[]
  /** Who has signed it, where that was asked for. */
  signer?: string
  /** In a checkout: what is not committed, and so not looked at. */
  dirty?: string
  /** What was left out, and why. */
  notes?: string[]
  /** Some of the files hold what is not in the source as it is, and may be secret: what is read of them is not kept. */
  decrypted?: true
  /** Names of files that a tool has written anew: quotes in them are not those of the source. */
  remade?: readonly string[]
  /** With variables of this host put into the files. */
  filled?: FilledWith
}

/** `digest`: another one for other texts. `unfilled`: a complaint about the texts, in those of the source. */
export type FilledWith = { digest: string; unfilled(error: unknown): unknown }

export type Hands = {
  store: Pick<Store, 'all' | 'write'>
  nowMs(): number
  /** Everything wrong with a source is a TspodError. */
  read(source: SourceRecord, signal: AbortSignal): Promise<SourceSnapshot>
  /** The revision that `read` would answer. */
  revision(source: SourceRecord, signal: AbortSignal): Promise<string>
  /** Throws MANIFEST_INVALID with every mistake. What is read of the files is kept with the source `keptWith`, if any. */
  translate(
    files: SourceSnapshot['files'],
    root: string,
    keptWith?: string,
  ): Promise<{ bundle: Bundle; notes: string[] }>
  /** The variables in a file of this host. Throws SOURCE_VARS. */
  variables(file: string): Promise<Variables>
  /** What of the host has a say in whether an apply succeeds; the same text while nothing has changed. */
  host(app: string, filled?: FilledWith): Promise<string>
  /** Labels of what the source has applied and what is not ready, or not as it should be. */
  unready(source: SourceRecord): Promise<string[]>
  /** What pods on this host have that only one can have. */
  claims(): Promise<Claim[]>
  /** What is wrong with the host's paths that the bundle names, each with its place. */
  paths(bundle: Bundle): Promise<string[]>
  /** Names of images → ids, of those that are here. */
  images(bundle: Bundle): Promise<Record<string, string>>
  /** Lets go of snapshots that neither a pod nor a rollback needs any more. */
  collect(source: string, kept: readonly string[], signal: AbortSignal): Promise<void>
  /** Writes down what a source has applied, for people whose tspod does not work. */
  inventory(source: SourceRecord, images: Readonly<Record<string, string>>): Promise<void>
  /** What an apply of these inputs would report, when they were applied last and all of it stands. */
  settled(inputs: string): Promise<ApplyReport | undefined>
  plan(job: ApplyJob, signal: AbortSignal): Promise<ApplyPlan>
  apply(job: ApplyJob, told: Told, signal: AbortSignal): Promise<ApplyReport>
}

/** What is planned and applied: pods directly go by the request, units by the texts. */
export type ApplyJob = { source: SourceRecord; files: SourceSnapshot['files']; request: ApplyRequest }
