/**
 * Pod Security Standards: which level holds for a pod, by flag or by the labels of its Namespace, and what becomes of a
 * pod that violates it. `enforce` refuses it; `warn` and `audit` note it, because there is no audit log here.
 */

import type { ReadPod } from '../pod/index.ts'
import { didYouMean, either, type Field, quote, quotedPlace } from '../yaml/index.ts'
import { type Level, type PodView, type Violation, violations } from './controls.ts'

export type { Level } from './controls.ts'

export type Mode = 'enforce' | 'warn' | 'audit'
/** A level and what its violation leads to. */
export type Policy = { level: Level; mode: Mode }

/** What the command line adds to every pod, beyond the manifest. */
export type FlagEffects = { publish: boolean; publishAll: boolean; hostNetwork: boolean }

const LEVELS: readonly Level[] = ['privileged', 'baseline', 'restricted']
const MODES: readonly Mode[] = ['enforce', 'warn', 'audit']
const LABEL = 'pod-security.kubernetes.io/'

/** The policies that the labels of Namespace documents ask for, by the name of the Namespace. */
export function namespacePolicies(namespaces: readonly Field[]): Map<string, Policy[]> {
  return new Map(
    namespaces.map(document => [
      document.at('metadata').at('name').string() ?? '',
      document
        .at('metadata')
        .at('labels')
        .entries()
        .flatMap(([key, value]) => (key.startsWith(LABEL) ? policyOf(key.slice(LABEL.length), value) : [])),
    ]),
  )
}

function policyOf(key: string, value: Field): Policy[] {
  const text = value.string() ?? ''
  const mode = MODES.find(word => word === key)
  if (mode === undefined) {
    if (!MODES.some(word => `${word}-version` === key)) {
      const known = MODES.flatMap(word => [word, `${word}-version`])
      const remedy = didYouMean(key, known) ?? `use ${either(known)}`
      value.issueAt(value.key, 'UNSUPPORTED_VALUE', `no label of Pod Security is called ${quote(LABEL + key)}`, remedy)
    } else if (!/^(?:latest|v1\.[0-9]{1,3})$/.test(text))
      value.issue('INVALID_VALUE', `${quote(text)} is not a version`, 'write latest, or v1.34')
    else if (text !== 'latest') value.note('the standards are checked as they are today, whatever the version')
    return []
  }
  const level = LEVELS.find(word => word === text)
  if (level !== undefined) return [{ level, mode }]
  value.issue('UNSUPPORTED_VALUE', `${quote(text)} is not possible here`, `use ${either(LEVELS)}`)
  return []
}

/** Checks a pod against all policies that hold for it: violations are reported or noted at their places. */
export function checkPodSecurity({ spec, source }: ReadPod, policies: readonly Policy[], flags: FlagEffects): void {
  const binding = policies.filter(({ level }) => level !== 'privileged')
  if (binding.length === 0) return
  const lists = ['initContainers', 'containers', 'ephemeralContainers'].map(name => source.at(name).items())
  const view: PodView = { spec: source, containers: lists.flat(), annotations: spec.annotations }
  const enforced = new Set<string>()
  // Enforced ones first: what is refused anyway need not be noted as well.
  for (const { level, mode } of binding.toSorted((a, b) => MODES.indexOf(a.mode) - MODES.indexOf(b.mode))) {
    for (const { field, what, remedy } of [...violations(level, view), ...byFlags(view, flags)]) {
      const key = `${field.path} ${what}`
      if (mode === 'enforce') {
        enforced.add(key)
        const span = field.node?.kind === 'scalar' ? field.span : field.key
        field.issueAt(span, 'FORBIDDEN', `violates PodSecurity "${level}": ${what}`, remedy)
      } else if (!enforced.has(key)) {
        const place = quotedPlace(field)
        field.context.notes.say(`${place} would violate PodSecurity "${level}": ${what}; ${remedy}`)
      }
    }
  }
}

function byFlags({ spec, containers }: PodView, flags: FlagEffects): Violation[] {
  const found: Violation[] = []
  if (flags.hostNetwork)
    found.push({ field: spec, what: 'host namespaces (--network host)', remedy: 'leave out the flag' })
  const declares = containers.some(container => container.at('ports').items().length > 0)
  if (flags.publish) found.push({ field: spec, what: 'host ports (--publish)', remedy: 'leave out the flag' })
  else if (flags.publishAll && declares)
    found.push({ field: spec, what: 'host ports (--publish-all)', remedy: 'leave out the flag' })
  return found
}
