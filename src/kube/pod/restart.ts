/** What is done when one container ends, where that is not what its pod says. Source: Kubernetes' ContainerRestartRules. */
import type { ContainerSpec, RestartRule } from '../../model.ts'
import type { Field } from '../yaml/index.ts'

/** Kubernetes' limits. */
const MAX_RULES = 20
const MAX_VALUES = 255

/** Reads restartPolicy and restartPolicyRules of a container, or of an init container. */
export function readRestart(container: Field): Pick<ContainerSpec, 'restartPolicy' | 'restartRules'> {
  const field = container.at('restartPolicy')
  const hasPolicy = (field.string() ?? '') !== ''
  const policy = hasPolicy ? field.oneOf(['Always', 'OnFailure', 'Never'], 'Always') : undefined
  const rules = readRules(container.at('restartPolicyRules'))
  if (rules.length > 0 && policy === undefined)
    field.issue('REQUIRED', 'must be specified when restartPolicyRules are used', 'add what holds where no rule fits')
  return {
    ...(policy !== undefined && { restartPolicy: policy }),
    ...(rules.length > 0 && { restartRules: rules }),
  }
}

function readRules(list: Field): RestartRule[] {
  const rules = list.items()
  if (rules.length > MAX_RULES) list.issue('TOO_MANY', `no more than ${MAX_RULES} rules are possible`)
  return rules.map(rule => {
    const action = rule.at('action')
    if (action.string() === 'RestartAllContainers')
      action.issue('UNSUPPORTED_VALUE', 'only the container itself can be restarted', 'use Restart')
    else action.oneOf(['Restart'], 'Restart')
    const codes = rule.at('exitCodes')
    if (!codes.present) codes.issue('REQUIRED', 'a rule needs exit codes', 'add it')
    const operator = codes.at('operator').oneOf(['In', 'NotIn'], 'In')
    const values = codes.at('values').items()
    if (values.length > MAX_VALUES)
      codes.at('values').issue('TOO_MANY', `no more than ${MAX_VALUES} exit codes are possible`)
    return { operator, values: values.flatMap(value => value.integer() ?? []) }
  })
}
