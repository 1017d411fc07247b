/** The flags of every verb that translates manifests, and what they mean for the translator. */
import { resolve } from 'node:path'
import type { Policy, TranslateOptions } from '../kube/index.ts'
import type { FlagTable, FlagValues, Problem } from './flags.ts'
import { readSources } from './source.ts'
import type { World } from './verb.ts'

export const MANIFEST_FLAGS = {
  'allow-unsupported': {
    kind: 'switch',
    initial: false,
    help: 'keep fields that are read and do nothing yet, instead of refusing them; in this version there are none',
  },
  'allowed-unsafe-sysctls': {
    kind: 'list',
    value: 'NAME',
    comma: true,
    help: 'allow kernel parameters that are not safe by themselves; net.core.* stands for many',
  },
  annotation: { kind: 'list', value: 'KEY=VALUE', help: 'add an annotation to every Pod and PersistentVolumeClaim' },
  configmap: { kind: 'list', value: 'FILE', help: 'take ConfigMaps from this file as well' },
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
  'seccomp-profile-root': {
    kind: 'text',
    value: 'DIR',
    help: 'where profiles of type Localhost are (default /var/lib/kubelet/seccomp)',
  },
  validate: {
    kind: 'choice',
    choices: ['strict', 'warn', 'ignore'],
    help: 'unknown and repeated fields are mistakes (the default), are told, or neither',
  },
} as const satisfies FlagTable

type ManifestFlags = FlagValues<typeof MANIFEST_FLAGS>

/** What is wrong with these flags, before any manifest is read. */
export function manifestFlagProblems(flags: ManifestFlags): Problem[] {
  const problems: Problem[] = []
  if (flags['pod-security-mode'] !== undefined && flags['pod-security'] === undefined) {
    problems.push({ message: '--pod-security-mode needs --pod-security', remedy: 'add --pod-security restricted' })
  }
  // Standard input belongs to the manifest.
  if (flags.configmap.includes('-')) problems.push({ message: '--configmap takes files, not standard input' })
  for (const text of flags.annotation) {
    if (!text.includes('=')) problems.push({ message: `annotation "${text}" must include an '=' sign` })
  }
  return problems
}

/**
 * The flags as options of the translator; relative names begin at the caller's directory.
 * @throws MANIFEST_UNREADABLE for a file of --configmap, USAGE for the key of an annotation.
 */
export async function manifestOptions(
  flags: ManifestFlags,
  world: World,
): Promise<TranslateOptions & Required<Pick<TranslateOptions, 'annotations'>>> {
  const [configMaps, annotations] = await Promise.all([
    readSources(flags.configmap, world),
    annotationsOf(flags.annotation),
  ])
  const root = flags['seccomp-profile-root']
  const level = flags['pod-security'] as Policy['level'] | undefined
  const mode = (flags['pod-security-mode'] ?? 'enforce') as Policy['mode']
  return {
    configMaps,
    annotations,
    allowUnsupported: flags['allow-unsupported'],
    unsafeSysctls: flags['allowed-unsafe-sysctls'].flatMap(text => text.split(',')).filter(Boolean),
    ...(root !== undefined && { seccompRoot: resolve(world.cwd, root) }),
    fieldValidation: (flags.validate ?? 'strict') as NonNullable<TranslateOptions['fieldValidation']>,
    ...(level !== undefined && { podSecurity: { level, mode } }),
    baseDirectory: world.cwd,
  }
}

/** The translator is not loaded for none: an apply that has nothing to do goes without it. */
const annotationsOf = async (texts: readonly string[]): Promise<Record<string, string>> =>
  texts.length === 0 ? {} : (await import('../kube/index.ts')).parseAnnotations(texts)

/** True when a flag asks for the network of the host, whatever the manifest says. */
export const wantsHostNetwork = (networks: readonly string[]): boolean =>
  networks.some(name => /^host(?::|$)/.test(name))
