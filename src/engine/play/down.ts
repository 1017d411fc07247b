/** `kube down`: pods, secrets and, with force, volumes go; what is already gone is fine. */
import type { Id } from '../../model.ts'
import type { EngineContext } from '../context.ts'
import { removeIdleServices, settleService, tearDown } from '../run/index.ts'
import { podsMadeBy, readPod } from '../state/index.ts'
import type { DownOptions, DownReport, DownRequest } from '../types/index.ts'
import { removeSecrets, removeVolume } from '../volumes/index.ts'
import { loadWork, lockPod } from '../work.ts'

/** Takes down what `request` names, pods side by side. Never stops at the first failure; the report has them all. */
export async function down(
  context: EngineContext,
  request: DownRequest,
  options: DownOptions,
  signal: AbortSignal,
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
  const names = new Set([...request.pods, ...(await podsMadeBy(context.store, request.workloads))])
  const pods = await Promise.all(
    [...names].map(async name => {
      const gone: { stopped?: string; removed?: string } = {}
      await attempt(`pod ${name}`, async () => {
        const lock = await lockPod(context, name, 'tspod kube down', { signal, insist: true })
        try {
          const pod = await readPod(context.store, name)
          if (pod === undefined) return await lock.removeFile()
          if (pod.service !== undefined) services.add(pod.service)
          const work = await loadWork(context, pod)
          if (options.graceMs !== undefined) work.stopping.graceMs = Math.min(options.graceMs, pod.spec.graceMs)
          const { stopped, failures } = await tearDown(work, lock)
          if (stopped) gone.stopped = pod.id
          if (failures.length === 0) gone.removed = pod.id
          for (const message of failures) report.failures.push({ object: `pod ${name}`, message })
        } finally {
          await lock[Symbol.asyncDispose]()
        }
      })
      return gone
    }),
  )
  await attempt('service container', async () => {
    for (const id of services) await settleService(context, id)
    for (const message of await removeIdleServices(context))
      report.failures.push({ object: 'service container', message })
  })
  report.stopped = pods.flatMap(pod => pod.stopped ?? [])
  report.removed = pods.flatMap(pod => pod.removed ?? [])
  await attempt('secrets', async () => {
    report.secrets = await removeSecrets(context, request.secrets)
  })
  const volumes = options.force ? [...new Set([...request.claims, ...request.podClaims])] : []
  for (const name of volumes) {
    await attempt(`volume ${name}`, async () => {
      if (await removeVolume(context, name)) report.volumes.push(name)
    })
  }
  return report
}
