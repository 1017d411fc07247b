/**
 * AppArmor profiles of containers: a default one of tspod's own, loaded when the first container needs it, and those
 * that the administrator has loaded. As in Podman, a host without apparmor_parser counts as one without AppArmor.
 */

import { readFileSync } from 'node:fs'
import { sha256 } from '../digest.ts'
import { TspodError } from '../errors.ts'
import type { ContainerSecurity } from '../model.ts'
import { mustSucceed, type Run } from '../process.ts'
import { findProgram } from './runtime/index.ts'

/** What the text of the default profile calls it; loaded it is called `NAME-DIGITS`, by what the text is. */
const DEFAULT_NAME = 'tspod-default'
const DIGITS = 8
const PARSER = 'apparmor_parser'
/** One profile a line, as `NAME (enforce)`: see securityfs. */
const LOADED = '/sys/kernel/security/apparmor/profiles'
const LOAD_TIMEOUT_MS = 30_000

/** Where tests have something else: the file with the names of loaded profiles, and the parser. */
export type AppArmorPlaces = { loaded?: string; parser?: string }

/** True where the kernel has AppArmor enabled, by the text of its parameter, and profiles can be loaded. */
export const hasAppArmor = (enabled: string | undefined): boolean =>
  (enabled?.startsWith('Y') ?? false) && findProgram(PARSER) !== undefined

/**
 * The name of the profile that a container runs under on a host with AppArmor, undefined for none: without a word in
 * the manifest the default one, but for a privileged container. The default is loaded from the text in `template` if
 * the kernel does not have it yet.
 * Throws HOST_LACKS for a profile by name that is not loaded, COMMAND_FAILED where the parser refuses the default.
 */
export async function appArmorProfile(
  { appArmor, privileged }: Pick<ContainerSecurity, 'appArmor' | 'privileged'>,
  template: string,
  run: Run,
  { loaded = LOADED, parser = PARSER }: AppArmorPlaces = {},
): Promise<string | undefined> {
  if (appArmor?.type === 'Unconfined' || (appArmor === undefined && privileged)) return undefined
  const names = loadedProfiles(loaded)
  if (appArmor?.type === 'Localhost') {
    if (names?.has(appArmor.profile) ?? true) return appArmor.profile
    throw new TspodError('HOST_LACKS', `the AppArmor profile ${appArmor.profile} is not loaded`, {
      remedy: `load it: ${PARSER} --replace FILE; aa-status shows what is there`,
    })
  }
  const { name, text } = defaultProfile(readFileSync(template, 'utf8'))
  if (!names?.has(name)) {
    const argv = [parser, '--replace', '--skip-cache', '--quiet'] as [string, ...string[]]
    mustSucceed(
      await run({ argv, input: text, timeoutMs: LOAD_TIMEOUT_MS }),
      `the AppArmor profile ${name} cannot be loaded`,
    )
  }
  return name
}

/** The default profile with a name of its own for each text: what an older tspod has loaded is not taken for it. */
export function defaultProfile(text: string): { name: string; text: string } {
  const name = `${DEFAULT_NAME}-${sha256(text).slice(0, DIGITS)}`
  return { name, text: text.replaceAll(DEFAULT_NAME, name) }
}

/** Undefined where securityfs is not mounted: then the runtime says what there is not. */
function loadedProfiles(file: string): Set<string> | undefined {
  try {
    return new Set(
      readFileSync(file, 'utf8')
        .split('\n')
        .map(line => line.replace(/ \([a-z]+\)$/, '')),
    )
  } catch {
    return undefined
  }
}
