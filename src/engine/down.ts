/** `kube down`: pods, secrets and, with force, volumes go; what is already gone is fine. */
import type { EngineContext } from './context.ts'
import { readPod } from './records.ts'
import { removeSecrets } from './secrets.ts'
import { tearDown } from './teardown.ts'
import type { DownReport, DownRequest } from './types.ts'
import { removeVolume } from './volume-records.ts'
import { loadWork, lockPod } from './work.ts'

/** Takes down what `request` names, pods side by side. Never stops at the first failure; the report has them all. */
export async function down(
  context: EngineContext,
  request: DownRequest,
  options: { force: boolean },
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
  const pods = await Promise.all(
    [...new Set(request.pods)].map(async name => {
      const gone: { stopped?: string; removed?: string } = {}
      await attempt(`pod ${name}`, async () => {
        const lock = await lockPod(context, name, 'tspod kube down', signal)
        try {
          const pod = await readPod(context.store, name)
          if (pod === undefined) return await lock.removeFile()
          const { stopped, failures } = await tearDown(await loadWork(context, pod), lock)
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
