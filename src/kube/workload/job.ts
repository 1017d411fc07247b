/** Job: how many pods, how often they may fail, and what is done about it. */
import { INDEX_KEY, INDEX_MARK, NUMBER_MARK } from '../../job.ts'
import type { JobSpec, PodFailureRule, PodSpec, SuccessRule } from '../../model.ts'
import { readLabels, readName, readNamespace } from '../metadata.ts'
import { type PodContext, type ReadPod, readPod } from '../pod/index.ts'
import type { Field } from '../yaml/index.ts'
import { either, quote } from '../yaml/index.ts'
import { checkSelector } from './selector.ts'

/** Kubernetes' defaults. */
const BACKOFF_LIMIT = 6
const MAX_PARALLELISM = 1000
const MAX_COMPLETIONS = 100_000
const MAX_RULES = 20
const MAX_NAME = 240
const MAX_INDEXED_NAME = 57

/** A Job with its pod, whose `spec` is the template of the Job; without pods where it has nothing to do. */
export type ReadJob = { job: JobSpec; pod: ReadPod; idle: boolean }

/** Reads a Job document. */
export function readJob(document: Field, context: PodContext): ReadJob {
  const name = readName(document)
  readLabels(document.at('metadata').at('labels'))
  return readJobSpec(
    { document, name, namespace: readNamespace(document.at('metadata')), spec: document.at('spec') },
    context,
  )
}

/** Where a Job stands: a document of its own, or the template of a CronJob. */
export type JobOrigin = { document: Field; name: string; namespace: string; spec: Field }

/** Reads the spec of a Job. */
export function readJobSpec(origin: JobOrigin, context: PodContext): ReadJob {
  const { spec, name } = origin
  const indexed = spec.at('completionMode').oneOf(['NonIndexed', 'Indexed'], 'NonIndexed') === 'Indexed'
  const written = { completions: atLeast0(spec.at('completions')), parallelism: atLeast0(spec.at('parallelism')) }
  const parallelism = written.parallelism ?? 1
  const completions = written.completions ?? (written.parallelism === undefined ? 1 : undefined)
  if (indexed && written.completions === undefined)
    spec.at('completions').issue('REQUIRED', 'an indexed Job needs to know how many indexes it has', 'add it')
  if (parallelism > MAX_PARALLELISM)
    spec.at('parallelism').issue('TOO_MANY', `${parallelism} pods on one host`, `use no more than ${MAX_PARALLELISM}`)
  if ((completions ?? 0) > MAX_COMPLETIONS)
    spec.at('completions').issue('TOO_MANY', `no more than ${MAX_COMPLETIONS} are possible`)
  readSelector(spec)
  const pod = readJobPod(origin, indexed, context)
  const limits = readLimits(spec, indexed)
  if (limits.backoffLimitPerIndex !== undefined && pod.spec.restartPolicy !== 'Never')
    spec
      .at('backoffLimitPerIndex')
      .issue('INVALID_VALUE', 'only possible with restartPolicy Never', 'set spec.template.spec.restartPolicy: Never')
  const job: JobSpec = {
    name,
    template: pod.spec,
    parallelism,
    ...(completions !== undefined && { completions }),
    indexed,
    ...limits,
    failureRules: readFailureRules(spec.at('podFailurePolicy'), pod.spec, limits.backoffLimitPerIndex !== undefined),
    successRules: readSuccessRules(spec.at('successPolicy'), indexed, completions ?? 0),
  }
  return { job, pod, idle: isIdle(spec, job) }
}

function readJobPod({ document, name, namespace, spec }: JobOrigin, indexed: boolean, context: PodContext): ReadPod {
  // The host name of an indexed pod is a DNS label, and the name of any pod has a number behind it.
  const most = indexed ? MAX_INDEXED_NAME : MAX_NAME
  if (name.length > most)
    document.at('metadata').at('name').issue('TOO_LONG', `must be no more than ${most} characters`, 'shorten it')
  const template = spec.at('template')
  const index: Record<string, string> = indexed ? { [INDEX_KEY]: INDEX_MARK } : {}
  const pod = readPod(
    {
      name: `${name}-pod${NUMBER_MARK}`,
      namespace,
      document,
      metadata: template.at('metadata'),
      spec: template.at('spec'),
      policies: ['OnFailure', 'Never'],
      own: {
        labels: { 'batch.kubernetes.io/job-name': name, 'job-name': name, ...index },
        annotations: index,
        ...hostnameOf(name, indexed, template.at('spec').at('hostname')),
      },
    },
    context,
  )
  if (!indexed) return pod
  for (const container of [...pod.spec.initContainers, ...pod.spec.containers])
    container.env.push({ name: 'JOB_COMPLETION_INDEX', secret: false, text: INDEX_MARK, expand: true })
  return pod
}

/** A mark must not be cut in two: the pods of a Job with a very long name share a host name. */
function hostnameOf(name: string, indexed: boolean, written: Field): { hostname?: string } {
  if (indexed) return { hostname: `${name}-${INDEX_MARK}` }
  if (written.present) return {}
  const base = `${name}-pod`
  return { hostname: base.length > 55 ? base.slice(0, 63).replace(/[-.]+$/, '') : `${base}${NUMBER_MARK}` }
}

/** Nothing is stored of a Job that has nothing to do: the next play reads it anew. */
function isIdle(spec: Field, { parallelism, completions }: JobSpec): boolean {
  const suspended = spec.at('suspend').boolean() ?? false
  if (suspended) spec.at('suspend').note('no pod is started; play it again without')
  else if (parallelism === 0) spec.at('parallelism').note('no pod is started with 0; play it again with more')
  return suspended || parallelism === 0 || completions === 0
}

type Limits = Pick<JobSpec, 'backoffLimit' | 'backoffLimitPerIndex' | 'maxFailedIndexes' | 'deadlineMs' | 'ttlMs'>

function readLimits(spec: Field, indexed: boolean): Limits {
  const perIndex = atLeast0(spec.at('backoffLimitPerIndex'))
  const maxFailed = atLeast0(spec.at('maxFailedIndexes'))
  const ttl = atLeast0(spec.at('ttlSecondsAfterFinished'))
  const deadline = spec.at('activeDeadlineSeconds')
  const seconds = deadline.integer()
  if (seconds !== undefined && seconds < 1) deadline.issue('INVALID_VALUE', 'must be greater than or equal to 1')
  if (perIndex !== undefined && !indexed)
    spec
      .at('backoffLimitPerIndex')
      .issue('INVALID_VALUE', 'requires indexed completion mode', 'set completionMode: Indexed')
  if (maxFailed !== undefined && perIndex === undefined)
    spec.at('maxFailedIndexes').issue('INVALID_VALUE', 'needs backoffLimitPerIndex', 'set it, or remove this')
  return {
    backoffLimit: atLeast0(spec.at('backoffLimit')) ?? (perIndex === undefined ? BACKOFF_LIMIT : 2 ** 31 - 1),
    ...(perIndex !== undefined && { backoffLimitPerIndex: perIndex }),
    ...(maxFailed !== undefined && { maxFailedIndexes: maxFailed }),
    ...(seconds !== undefined && { deadlineMs: Math.max(1, seconds) * 1000 }),
    ...(ttl !== undefined && { ttlMs: ttl * 1000 }),
  }
}

function readFailureRules(policy: Field, pod: PodSpec, perIndex: boolean): PodFailureRule[] {
  const list = policy.at('rules').items()
  if (list.length > MAX_RULES) policy.at('rules').issue('TOO_MANY', `no more than ${MAX_RULES} rules are possible`)
  if (policy.present && pod.restartPolicy !== 'Never')
    policy.issue(
      'INVALID_VALUE',
      'only possible with restartPolicy Never',
      'set spec.template.spec.restartPolicy: Never',
    )
  return list.map(rule => {
    const action = rule.at('action').oneOf(['FailJob', 'FailIndex', 'Ignore', 'Count'], 'Count')
    if (action === 'FailIndex' && !perIndex)
      rule.at('action').issue('INVALID_VALUE', 'FailIndex needs backoffLimitPerIndex', 'set it, or use another action')
    const codes = rule.at('onExitCodes')
    const conditions = rule.at('onPodConditions')
    if (codes.present === conditions.items().length > 0)
      rule.issue('INVALID_VALUE', 'specifying one of onExitCodes and onPodConditions is required', 'use one of them')
    if (conditions.present) conditions.note('no pod is evicted or preempted on a single host')
    return { action, ...(codes.present && { exitCodes: readExitCodes(codes, pod) }) }
  })
}

function readExitCodes(field: Field, pod: PodSpec): NonNullable<PodFailureRule['exitCodes']> {
  const container = field.at('containerName').string() || undefined
  const known = [...pod.containers, ...pod.initContainers].map(one => one.name as string)
  if (container !== undefined && !known.includes(container))
    field.at('containerName').issue('NOT_FOUND', `no container is called ${quote(container)}`, `use ${either(known)}`)
  const operator = field.at('operator').oneOf(['In', 'NotIn'], 'In')
  const values = field.at('values').items()
  for (const value of values) {
    const code = value.integer()
    if (code === 0 && operator === 'In') value.issue('INVALID_VALUE', 'must not be 0 for the In operator')
    else if (code !== undefined && (code < 0 || code > 255)) value.issue('INVALID_VALUE', 'must be between 0 and 255')
  }
  return {
    ...(container !== undefined && { container }),
    operator,
    values: values.flatMap(value => value.integer() ?? []),
  }
}

function readSuccessRules(policy: Field, indexed: boolean, completions: number): SuccessRule[] {
  if (policy.present && !indexed)
    policy.issue('INVALID_VALUE', 'requires indexed completion mode', 'set completionMode: Indexed')
  return policy
    .at('rules')
    .items()
    .map(rule => {
      const count = rule.at('succeededCount').integer()
      const text = rule.at('succeededIndexes')
      if (count === undefined && !text.present)
        rule.issue('REQUIRED', 'must specify one of succeededCount and succeededIndexes', 'add one')
      const indexes = text.string() === undefined ? undefined : parseIndexes(text.string() ?? '', completions)
      if (text.string() !== undefined && indexes === undefined)
        text.issue(
          'INVALID_VALUE',
          `${quote(text.string() ?? '')} is no list of indexes below ${completions}`,
          'write 0,2-4',
        )
      if (count !== undefined && (count < 1 || count > (indexes?.length ?? completions)))
        rule.at('succeededCount').issue('INVALID_VALUE', 'must be from 1 to the number of indexes')
      return { ...(indexes !== undefined && { indexes }), ...(count !== undefined && { count }) }
    })
}

/** `0,2-4` → 0, 2, 3, 4; undefined when it is something else or goes beyond `limit`. */
function parseIndexes(text: string, limit: number): number[] | undefined {
  const indexes: number[] = []
  for (const part of text.split(',')) {
    const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part)
    if (match === null) return undefined
    const from = Number(match[1])
    const to = Number(match[2] ?? match[1])
    if (to < from || to >= limit || from <= (indexes.at(-1) ?? -1)) return undefined
    for (let index = from; index <= to; index++) indexes.push(index)
  }
  return indexes
}

/** Pods are told by what made them; a selector of one's own could only be wrong. */
function readSelector(spec: Field): void {
  const selector = spec.at('selector')
  if (spec.at('manualSelector').boolean()) {
    if (!selector.present) selector.issue('REQUIRED', 'manualSelector needs a selector', 'add it')
    checkSelector(selector, spec.at('template').at('metadata').at('labels'))
  } else if (selector.present)
    selector.issueAt(selector.key, 'FORBIDDEN', 'is made for each Job', 'remove it, or set manualSelector: true')
  const managed = spec.at('managedBy').string()
  if (managed !== undefined && managed !== 'kubernetes.io/job-controller')
    spec.at('managedBy').issue('NOT_SUPPORTED', `nothing here is called ${quote(managed)}`, 'remove it')
  spec.at('podReplacementPolicy').oneOf(['TerminatingOrFailed', 'Failed'], 'Failed')
}

function atLeast0(field: Field): number | undefined {
  const value = field.integer()
  if (value !== undefined && value < 0) field.issue('INVALID_VALUE', 'must be greater than or equal to 0')
  return value === undefined ? undefined : Math.max(0, value)
}
