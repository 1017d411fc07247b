/** `kube down`: pods, secrets and, with force, volumes go; what is already gone is fine. */
import type { Id } from '../../model.ts'
import type { EngineContext } from '../context.ts'
import { removeIdleServices, removeService, settleService, tearDown } from '../run/index.ts'
import { type PodRecord, podsMadeBy, readPod, readPods } from '../state/index.ts'
import { nudgeTimekeeper } from '../timekeeper.ts'
import type { DownOptions, DownReport, DownRequest, Watch } from '../types/index.ts'
import { removeSecrets, removeVolume } from '../volumes/index.ts'
import { loadWork, lockJobs, lockPod } from '../work.ts'
import { followersFirst, placeOf } from './order.ts'

/** Takes down what `request` names, pods side by side. Never stops at the first failure; the report has them all. */
export async function down(
  context: EngineContext,
  request: DownRequest,
  options: DownOptions,
  signal: AbortSignal,
  watch: Watch = {},
): Promise<DownReport> {
  const report: DownReport = { stopped: [], removed: [], secrets: [], volumes: [], failures: [] }
  const attempt = async (object: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      report.failures.push({ object, message: (error as Error).message })
    }
  }
  const services = new Set<Id>()
  const ofUnit = await podsOfUnit(context, options.unit)
  const jobs = [
    ...request.workloads.filter(({ kind }) => kind === 'Job').map(({ name }) => name),
    ...ofUnit.flatMap(({ spec }) => spec.job?.name ?? []),
  ]
  // Nobody makes more of them meanwhile.
  await using _jobs = await lockJobs(context, jobs, 'tspod kube down', { signal })
  const made = await podsMadeBy(context.store, request.workloads)
  const names = new Set([...request.pods, ...made, ...ofUnit.map(({ name }) => name)])
  const known = new Map((await readPods(context.store)).map(pod => [pod.name as string, pod]))
  const place = (name: string): ReturnType<typeof placeOf> => placeOf(known.get(name) ?? { name })
  const early = earlySettler(
    context,
    [...names].flatMap(name => known.get(name) ?? []),
  )
  const pods = await followersFirst([...names], place, async name => {
    const gone: { stopped?: string; removed?: string } = {}
    await attempt(`pod ${name}`, async () => {
      const lock = await lockPod(context, name, 'tspod kube down', { signal, insist: true })
      try {
        const pod = await readPod(context.store, name)
        if (pod === undefined) return await lock.removeFile()
        if (pod.service !== undefined) services.add(pod.service)
        const work = await loadWork(context, pod)
        if (options.graceMs !== undefined) work.stopping.graceMs = Math.min(options.graceMs, pod.spec.graceMs)
        watch.stopping?.(work.stopping.graceMs ?? pod.spec.graceMs)
        work.rested = () => early.rested(pod)
        const { stopped, failures } = await tearDown(work, lock)
        if (stopped) gone.stopped = pod.id
        if (failures.length === 0) gone.removed = pod.id
        for (const message of failures) report.failures.push({ object: `pod ${name}`, message })
      } finally {
        await lock[Symbol.asyncDispose]()
      }
    })
    return gone
  })
  await early.settled()
  await attempt('service container', async () => {
    for (const id of services) await settleService(context, id)
    for (const message of await removeIdleServices(context))
      report.failures.push({ object: 'service container', message })
  })
  if (jobs.length > 0) nudgeTimekeeper(context)
  report.stopped = pods.flatMap(pod => pod.stopped ?? [])
  report.removed = pods.flatMap(pod => pod.removed ?? [])
  await attempt('secrets', async () => {
    report.secrets = await removeSecrets(context, request.secrets)
  })
  for (const name of await volumesToRemove(context, request, options)) {
    await attempt(`volume ${name}`, async () => {
      if (await removeVolume(context, name)) report.volumes.push(name)
    })
  }
  return report
}

/**
 * Removes a service as soon as the containers of its last pod have ended, while that pod's network is taken down. What
 * this fails with is met again when the pods are gone.
 */
function earlySettler(
  context: EngineContext,
  pods: readonly PodRecord[],
): { rested(pod: PodRecord): void; settled(): Promise<unknown> } {
  const resting: Id[] = []
  const settling: Promise<void>[] = []
  return {
    rested({ id, service }) {
      resting.push(id)
      if (service === undefined) return
      const isLast = pods.every(pod => pod.service !== service || resting.includes(pod.id))
      if (isLast) settling.push(removeService(context, service, resting).catch(() => undefined))
    },
    settled: () => Promise.all(settling),
  }
}

async function podsOfUnit({ store }: EngineContext, unit: string | undefined): Promise<PodRecord[]> {
  if (unit === undefined) return []
  return (await readPods(store)).filter(({ kind, settings }) => kind === 'pod' && settings.unit?.name === unit)
}

/** With force all that the request names; without it those claims that are to go with their workload. */
async function volumesToRemove(
  context: EngineContext,
  request: DownRequest,
  { force }: DownOptions,
): Promise<Set<string>> {
  const named = force ? [...request.claims, ...request.podClaims] : []
  const prefixes = request.claimsOf.filter(({ withWorkload }) => force || withWorkload).map(({ prefix }) => prefix)
  if (prefixes.length === 0) return new Set(named)
  const rows = await context.store.all('SELECT name FROM volume ORDER BY name')
  const isOwn = (name: string): boolean =>
    prefixes.some(prefix => name.startsWith(prefix) && /^[0-9]+$/.test(name.slice(prefix.length)))
  return new Set([...named, ...rows.map(row => String(row.name)).filter(isOwn)])
}
