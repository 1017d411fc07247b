/** Which containers of a pod wait for which: the annotation `io.tspod.depends-on/CONTAINER: "a;b"`. */
import type { ContainerName, PodSpec } from '../../model.ts'
import { startOrder } from '../../order.ts'
import type { Setting } from '../metadata.ts'
import { didYouMean, quote } from '../yaml/index.ts'

const HOW = 'write it as io.tspod.depends-on/CONTAINER: "OTHER;ANOTHER"'

/** Puts what the annotations say into the regular containers of the pod, and reports what cannot be. */
export function readDependencies(settings: readonly Setting[], pod: PodSpec): void {
  const bySubject = new Map<string, Setting>()
  for (const setting of settings) {
    const container = pod.containers.find(({ name }) => name === setting.subject)
    if (container === undefined) complainOfName(setting, setting.subject, pod)
    else {
      bySubject.set(setting.subject, setting)
      container.dependsOn = readNames(setting, pod)
    }
  }
  const result = startOrder(pod.containers)
  if (!('cycle' in result)) return
  const { cycle } = result
  const [first = ''] = cycle
  const message = `the containers depend on one another in a circle: ${[...cycle, first].join(' -> ')}`
  bySubject.get(first)?.complain('INVALID_VALUE', message, 'take one of these dependencies away')
}

function readNames(setting: Setting, pod: PodSpec): ContainerName[] {
  const names = setting.text.split(';').map(name => name.trim())
  const good = names.filter(name => {
    if (name === '') setting.complain('INVALID_VALUE', `${quote(setting.text)} holds an empty name`, HOW)
    else if (name === setting.subject)
      setting.complain('INVALID_VALUE', `the container ${quote(name)} cannot depend on itself`, 'remove the name')
    else if (pod.containers.some(other => other.name === name)) return true
    else complainOfName(setting, name, pod)
    return false
  })
  return [...new Set(good)] as ContainerName[]
}

/** Init containers have no dependencies and are none: their order is the manifest's, before all others. */
function complainOfName(setting: Setting, name: string, pod: PodSpec): void {
  if (pod.initContainers.some(other => other.name === name)) {
    const message = `${quote(name)} is an init container: it starts before every regular container as it is`
    setting.complain('FORBIDDEN', message, 'remove it')
    return
  }
  const names = pod.containers.map(other => other.name)
  setting.complain(
    'NOT_FOUND',
    `no container of this pod is called ${quote(name)}`,
    didYouMean(name, names) ?? 'use the name of a regular container of this pod',
  )
}
