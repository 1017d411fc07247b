/** What people do to pods is what their Jobs go by. */
import type { Id } from '../../model.ts'
import type { EngineContext } from '../context.ts'
import { tendJob } from './tend.ts'

/** Acts, and then looks after the Jobs of these pods and containers, also of those that are gone by then. */
export async function tendWith<Result>(
  context: EngineContext,
  ids: readonly Id[],
  act: () => Promise<Result>,
): Promise<Result> {
  const jobs = await jobsOf(context, ids)
  try {
    return await act()
  } finally {
    await tendAll(context, jobs)
  }
}

/** Looks after Jobs that have just been played. */
export async function tendNamed(context: EngineContext, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  const rows = await context.store.all('SELECT id, name FROM job')
  const ids = rows.filter(row => names.includes(String(row.name))).map(row => String(row.id) as Id)
  await tendAll(context, ids)
}

/** Whoever acts is told of that, and not of what a Job makes of it. */
async function tendAll(context: EngineContext, jobs: readonly Id[]): Promise<void> {
  for (const job of jobs) await tendJob(context, job, 'tspod').catch(error => context.note((error as Error).message))
}

async function jobsOf({ store }: EngineContext, ids: readonly Id[]): Promise<Id[]> {
  const rows = await store.all(
    `SELECT pod.job AS job, pod.id AS pod, container.id AS container
     FROM pod LEFT JOIN container ON container.pod = pod.id WHERE pod.job IS NOT NULL`,
  )
  const wanted = new Set<string>(ids)
  const hit = rows.filter(row => wanted.has(String(row.pod)) || wanted.has(String(row.container)))
  return [...new Set(hit.map(row => String(row.job) as Id))]
}
