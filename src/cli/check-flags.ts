/** The flags that say how strictly a manifest is checked, of all verbs that translate one. */
import type { Policy, TranslateOptions } from '../kube/index.ts'
import type { FlagTable, FlagValues, Problem } from './flags.ts'

export const CHECK_FLAGS = {
  'pod-security': {
    kind: 'choice',
    choices: ['privileged', 'baseline', 'restricted'],
    help: 'check pods against this Pod Security Standard; the labels of a Namespace document count as well',
  },
  'pod-security-mode': {
    kind: 'choice',
    choices: ['enforce', 'warn', 'audit'],
    help: 'with --pod-security: refuse pods that violate it (the default), or only tell',
  },
  validate: {
    kind: 'choice',
    choices: ['strict', 'warn', 'ignore'],
    help: 'unknown and repeated fields are mistakes (the default), are told, or neither',
  },
} as const satisfies FlagTable

type CheckFlags = FlagValues<typeof CHECK_FLAGS>

/** What is wrong with these flags together. */
export function checkFlagProblems(flags: CheckFlags): Problem[] {
  if (flags['pod-security-mode'] === undefined || flags['pod-security'] !== undefined) return []
  return [{ message: '--pod-security-mode needs --pod-security', remedy: 'add --pod-security restricted' }]
}

/** The flags as options of the translator. */
export function checkOptions(flags: CheckFlags): Pick<TranslateOptions, 'fieldValidation' | 'podSecurity'> {
  const level = flags['pod-security'] as Policy['level'] | undefined
  const mode = (flags['pod-security-mode'] ?? 'enforce') as Policy['mode']
  return {
    fieldValidation: (flags.validate ?? 'strict') as NonNullable<TranslateOptions['fieldValidation']>,
    ...(level !== undefined && { podSecurity: { level, mode } }),
  }
}
