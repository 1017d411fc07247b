/**
 * Podman's annotation io.containers.sdnotify: who says when a container is ready. Source: podman-kube-play(1) and
 * what Podman makes of it; containers that prepare or accompany others never have a say.
 */
import type { ContainerSpec } from '../../model.ts'
import { readSettings, type Setting } from '../metadata.ts'
import { type Field, quote } from '../yaml/index.ts'

const SDNOTIFY = 'io.containers.sdnotify'

const POLICIES = ['container', 'healthy', 'ignore', 'conmon']

/** Sets the policy of each regular container; `ignore`, which is also what holds without an annotation, is none. */
export function applySdnotify(
  metadata: Field,
  regular: readonly ContainerSpec[],
  others: readonly ContainerSpec[],
  extra: Record<string, string>,
): void {
  const settings = readSettings(metadata, extra, SDNOTIFY)
  // What is said of one container holds against what is said of all.
  const inOrder = [...settings.filter(({ subject }) => subject === ''), ...settings.filter(({ subject }) => subject)]
  for (const setting of inOrder) {
    const { subject, complain } = setting
    const chosen = regular.filter(({ name }) => subject === '' || name === subject)
    if (chosen.length === 0 && !others.some(({ name }) => name === subject) && subject !== '')
      complain('NOT_FOUND', `no container is called ${quote(subject)}`, 'name one of this pod')
    for (const container of chosen) setPolicy(container, setting)
  }
}

function setPolicy(container: ContainerSpec, { text, complain }: Setting): void {
  if (!POLICIES.includes(text)) {
    complain(
      'UNSUPPORTED_VALUE',
      `invalid sdnotify value ${quote(text)}: must be container, healthy, ignore or conmon`,
      'use one of these',
    )
  } else if (text === 'healthy' && container.probes === undefined) {
    complain(
      'NOT_SUPPORTED',
      'sdnotify policy "healthy" requires a healthcheck to be set',
      'give the container a livenessProbe, or use container, ignore or conmon',
    )
  } else if (text === 'ignore') delete container.sdnotify
  else container.sdnotify = text as Exclude<ContainerSpec['sdnotify'], undefined>
}
