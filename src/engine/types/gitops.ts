/** What GitOps sources are asked for and what they answer: plain data, shared with the command line. */
import type { Credentials, SourceFrom } from '../../source/index.ts'
import type { ApplyPlan, ApplyReport, ApplyRequest, AppView } from './apply.ts'

/** A source as somebody has added it. */
export type SourceWish = {
  /** Also the name of its app. */
  name: string
  from: SourceFrom
  /** Directory inside it that holds the manifests; absent: the whole. */
  path?: string
  /** Manifests in subdirectories count too. */
  recursive?: true
  credentials?: Credentials
  /** Absolute path of a file of this host: its values are put in the place of the variables in the manifests. */
  vars?: string
  intervalMs: number
  /** Objects that are no longer in it are removed. */
  prune: boolean
  /** Absolute path of the keys that its commits have to be signed with, as git's allowed signers. */
  verify?: string
  /** Commits that do not come after the last one are taken. */
  rewind?: true
  /** Each manifest is a unit of tspod-kube@. */
  units: boolean
  onFailure: ApplyRequest['onFailure']
  /** How long an apply waits until all is ready. */
  timeoutMs: number
  /** Differences are told, and nothing is done. */
  observe: boolean
  /** Absolute path of a program that is run when there is news of it. */
  notify?: string
  /** Absolute path of a file of metrics that each reconcile replaces. */
  metrics?: string
}

/** Somebody wants nothing to be done for a while. */
export type Suspension = { reason: string; author: string; sinceMs: number; untilMs?: number }

/** How far a reconcile came before it was given up. */
export type Stage = 'source' | 'trust' | 'render' | 'validate' | 'preflight' | 'plan' | 'guard' | 'apply'

/** Why a source is not as it should be. */
export type SourceFailure = {
  stage: Stage
  code: string
  message: string
  remedy: string
  /** Every mistake with its place, where there are several. */
  details?: string
  revision?: string
  sinceMs: number
  /** How often in a row. */
  times: number
  /** When it is tried again by itself; absent: when the source or the host has changed. */
  retryMs?: number
}

/** `unchanged`: nothing had to be done. `observed`: it had, and only tells. `interrupted`: killed, or told to end. */
export type RunOutcome =
  | 'applied'
  | 'unchanged'
  | 'observed'
  | 'skipped'
  | 'refused'
  | 'failed'
  | 'rolled back'
  | 'interrupted'

/** One reconcile, as the history has it. */
export type RunView = {
  /** Absent: nothing was done that the history keeps. */
  id?: number
  source: string
  beganMs: number
  endedMs?: number
  revision?: string
  outcome: RunOutcome
  /** In a sentence. */
  reason: string
  failure?: Pick<SourceFailure, 'stage' | 'code' | 'message' | 'remedy' | 'details'>
  plan?: ApplyPlan
  results?: ApplyReport['results']
  /** What was repaired of the last good revision, where this one could not be applied. */
  healed?: ApplyReport['results']
  signer?: string
}

type At = { revision: string; atMs: number }

/** A source and how it stands. */
export type SourceView = SourceWish & {
  suspended?: Suspension
  /** Objects that are left alone, as `pod/web`, while the rest goes on. */
  held?: Readonly<Record<string, Suspension>>
  /** The newest revision that could be read. */
  seen?: At
  attempted?: At
  applied?: At & { signer?: string }
  /** When it was last looked at. */
  checkedMs?: number
  failure?: SourceFailure
  /** Differences that are only told. */
  drift?: string
  /** Objects whose drift is ignored, as `pod/web`. */
  driftIgnored?: string[]
  app?: AppView
}

/** How a reconcile differs from the one of a timer. */
export type ReconcileWish = {
  /** Somebody asked for it: what failed is tried again. */
  insist: boolean
  /** So many objects may be removed, whatever the budget says. */
  allowPrune?: number
  /** Objects with `io.tspod.prune: confirm` may be removed. */
  confirmPrune: boolean
  /** A history that was rewritten is taken, this once. */
  rewind?: boolean
}

/** What a source would do now. */
export type SourcePlan = { revision: string; signer?: string; notes: string[]; plan: ApplyPlan; refused?: string }

/** Manifests as they were applied; `root`: where relative paths in them begin. */
export type ExportedRevision = { revision: string; root: string; files: { file: string; text: string }[] }

export type Told = (text: string) => void

/** All about GitOps sources. Each throws NO_SUCH_OBJECT for a source that there is not. */
export type Gitops = {
  /**
   * Throws NAME_IN_USE when there is one of that name or with that file of metrics, TOOL_MISSING, UNSAFE_PATH or USAGE
   * for a program or a file that will not do.
   */
  add(wish: SourceWish): Promise<void>
  list(): Promise<SourceView[]>
  /** The same without their apps, from the records alone. */
  sources(): Promise<SourceView[]>
  plan(name: string, wish: ReconcileWish, signal: AbortSignal): Promise<SourcePlan>
  reconcile(name: string, wish: ReconcileWish, told: Told, signal: AbortSignal): Promise<RunView>
  /** Of all sources, in the text format of Prometheus, from the records alone. */
  metrics(): Promise<string>
  /** Newest first. */
  history(name: string, limit: number): Promise<RunView[]>
  /**
   * Of the whole source, or of these of its objects alone (`pod/web`). Answers when the first suspension that is in
   * force ends by itself. Throws NO_SUCH_OBJECT for an object that it does not own, USAGE for one of a source of units.
   */
  suspend(
    name: string,
    suspension: Omit<Suspension, 'sinceMs'>,
    objects: readonly string[],
  ): Promise<number | undefined>
  /** Ends suspensions: that of the whole source where no object is named. Answers as `suspend`. */
  resume(name: string, objects: readonly string[]): Promise<number | undefined>
  /** Applies an earlier revision again, and suspends; absent `to`: the one before. */
  rollback(name: string, to: string | undefined, author: string, told: Told, signal: AbortSignal): Promise<RunView>
  /** What was applied last, or the revision that is named. Throws NO_SUCH_OBJECT, AMBIGUOUS_ID. */
  export(name: string, revision: string | undefined): Promise<ExportedRevision>
  /** `prune`: all that it has applied goes as well, but for volumes. */
  remove(name: string, how: { prune: boolean }, told: Told, signal: AbortSignal): Promise<{ failures: string[] }>
}
