/** What `kube play` prints when it is done. */
import type { PlayReport } from '../engine/index.ts'
import { EXIT_OWN_ERROR } from '../errors.ts'
import { downReportText } from './down.ts'
import { printable } from './output.ts'
import type { Outcome } from './verb.ts'

/** Stdout exactly as Podman's, so that scripts which read ids go on working; what went wrong goes to stderr. */
export function playOutcome(report: PlayReport): Outcome {
  const lines: string[] = []
  if (report.volumes.length > 0) lines.push('Volumes:', ...report.volumes)
  if (report.secrets.length > 0) lines.push('Secrets:', ...report.secrets.map(secret => secret.id))
  for (const pod of report.pods) {
    lines.push('Pod:', pod.id)
    if (pod.containers.length === 0) continue
    lines.push(pod.containers.length === 1 ? 'Container:' : 'Containers:', ...pod.containers.map(each => each.id), '')
  }
  const failures = report.pods.flatMap(pod => pod.failures)
  const warnings = failures.map(({ container, message }) =>
    printable(message.includes(container) ? message : `${container}: ${message}`),
  )
  if (failures.length > 0) {
    warnings.push(`Error: failed to start ${failures.length} containers`, '  see `tspod logs` and `tspod ps --all`')
  }
  const replaced = report.replaced === undefined ? '' : downReportText(report.replaced)
  return {
    stdout: `${replaced}${lines.map(line => `${line}\n`).join('')}`,
    stderr: warnings.map(line => `${line}\n`).join(''),
    exitCode: failures.length > 0 ? EXIT_OWN_ERROR : 0,
  }
}
