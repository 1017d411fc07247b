/**
 * The pods of a Job. They come one after the other, long after the manifest has been translated, so the translator
 * makes one pod with marks in it, wherever the name and the completion index of a pod show up: in variables, labels
 * and files as well. A pod is made by putting its own in the place of the marks.
 */
import type { JobSpec, PodSpec, ProjectedFile } from './model.ts'

/** For the number of a pod: nothing for the first, `-2` and so on for the others. Private characters of Unicode. */
export const NUMBER_MARK = '\ue0f5\ue0f6'
/** For the completion index. */
export const INDEX_MARK = '\ue0f7\ue0f8'

export const INDEX_KEY = 'batch.kubernetes.io/job-completion-index'

/** The pod number `number`, from 1, of a Job; with the completion index of an indexed one. */
export function podOfJob(job: JobSpec, number: number, index?: number): PodSpec {
  const fill = (text: string): string =>
    text.replaceAll(NUMBER_MARK, number === 1 ? '' : `-${number}`).replaceAll(INDEX_MARK, `${index ?? ''}`)
  const pod = JSON.parse(fill(JSON.stringify(job.template))) as PodSpec
  for (const volume of pod.volumes) if ('files' in volume) volume.files = volume.files.map(file => filled(file, fill))
  pod.job = { name: job.name, number, ...(index !== undefined && { index }) }
  return pod
}

/** How many pods a Job begins with. */
export const firstCount = ({ parallelism, completions = parallelism }: JobSpec): number =>
  Math.min(parallelism, completions)

/** The pods a Job begins with. */
export function firstPods(job: JobSpec): PodSpec[] {
  return Array.from({ length: firstCount(job) }, (_, index) =>
    podOfJob(job, index + 1, job.indexed ? index : undefined),
  )
}

/** The marks in a file are hidden by its base64. */
function filled(file: ProjectedFile, fill: (text: string) => string): ProjectedFile {
  if ('runtime' in file) return file
  const bytes = Buffer.from(file.base64, 'base64')
  if (!bytes.includes(NUMBER_MARK) && !bytes.includes(INDEX_MARK)) return file
  return { ...file, base64: Buffer.from(fill(bytes.toString('utf8'))).toString('base64') }
}
