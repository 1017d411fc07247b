/** Seccomp profiles: from the format of containers-common (and Docker) to what an OCI runtime reads. */
import { constants } from 'node:os'
import { TspodError } from '../../errors.ts'
import type { OciSeccomp, OciSeccompArg, OciSyscall } from './types.ts'

/** What a profile's conditions are checked against. */
export type SeccompFacts = { capabilities: readonly string[]; arch: string; kernel: string }

const NATIVE_ARCH: Record<string, string> = {
  amd64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
  s390x: 'SCMP_ARCH_S390X',
  riscv64: 'SCMP_ARCH_RISCV64',
  ppc64le: 'SCMP_ARCH_PPC64LE',
}

type Dictionary = Record<string, unknown>

/** The default profile is the same object for every container of a play, and most ask for the same capabilities. */
const converted = new WeakMap<object, Map<string, OciSeccomp>>()

/**
 * Converts a parsed profile for one container: rules whose conditions (capabilities, architecture, kernel) do not
 * hold are left out. Profiles already in the OCI format pass through the same checks.
 * Throws SECURITY_REFUSED for anything that is not a profile: a broken profile never means "no filter"
 * (CVE-2023-2431). Conditions as in containers/common pkg/seccomp: all of `includes`, none of `excludes`.
 */
export function convertSeccomp(profile: unknown, facts: SeccompFacts): OciSeccomp {
  const source = dictionary(profile, 'the profile')
  const key = JSON.stringify([facts.capabilities, facts.arch, facts.kernel])
  const known = converted.get(source)
  const cached = known?.get(key)
  if (cached !== undefined) return cached
  const result = convert(source, facts)
  converted.set(source, (known ?? new Map<string, OciSeccomp>()).set(key, result))
  return result
}

function convert(profile: Dictionary, facts: SeccompFacts): OciSeccomp {
  if (profile.listenerPath) throw refused('it names a listenerPath, and tspod runs no seccomp agent')
  const architectures = architecturesOf(profile, facts.arch)
  const flags = list(profile.flags, 'flags').map(flag => text(flag, 'flags'))
  const errno = errnoOf(profile.defaultErrnoRet, profile.defaultErrno)
  return {
    defaultAction: text(profile.defaultAction, 'defaultAction'),
    ...(errno !== undefined && { defaultErrnoRet: errno }),
    ...(architectures.length > 0 && { architectures }),
    ...(flags.length > 0 && { flags }),
    syscalls: list(profile.syscalls, 'syscalls')
      .map(rule => dictionary(rule, 'syscalls[]'))
      .filter(rule => applies(rule, facts))
      .flatMap(convertRule),
  }
}

function architecturesOf(profile: Dictionary, arch: string): string[] {
  const plain = list(profile.architectures, 'architectures').map(name => text(name, 'architectures'))
  if (plain.length > 0) return plain
  for (const item of list(profile.archMap, 'archMap')) {
    const entry = dictionary(item, 'archMap[]')
    if (entry.architecture !== NATIVE_ARCH[arch]) continue
    const others = list(entry.subArchitectures, 'subArchitectures').map(name => text(name, 'subArchitectures'))
    return [text(entry.architecture, 'architecture'), ...others]
  }
  return []
}

function applies(rule: Dictionary, facts: SeccompFacts): boolean {
  const includes = conditions(rule.includes)
  const excludes = conditions(rule.excludes)
  const has = (name: string): boolean => facts.capabilities.includes(name)
  if (!includes.caps.every(has) || excludes.caps.some(has)) return false
  if (includes.arches.length > 0 && !includes.arches.includes(facts.arch)) return false
  if (excludes.arches.includes(facts.arch)) return false
  if (includes.minKernel !== '' && !atLeast(facts.kernel, includes.minKernel)) return false
  return excludes.minKernel === '' || !atLeast(facts.kernel, excludes.minKernel)
}

function conditions(value: unknown): { caps: string[]; arches: string[]; minKernel: string } {
  const from = value === undefined || value === null ? {} : dictionary(value, 'includes')
  return {
    caps: list(from.caps, 'caps').map(name => text(name, 'caps')),
    arches: list(from.arches, 'arches').map(name => text(name, 'arches')),
    minKernel: from.minKernel === undefined ? '' : text(from.minKernel, 'minKernel'),
  }
}

/** Compares the first two numbers of kernel releases: `6.1.0-13-amd64` is at least `4.8`. */
export function atLeast(release: string, wanted: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number)
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split(/[.-]/).map(Number)
  return major !== wantedMajor ? major > wantedMajor : minor >= wantedMinor
}

function convertRule(rule: Dictionary): OciSyscall[] {
  const single = rule.name === undefined || rule.name === '' ? [] : [text(rule.name, 'name')]
  const names = [...single, ...list(rule.names, 'names').map(name => text(name, 'names'))]
  if (names.length === 0) return []
  const errno = errnoOf(rule.errnoRet, rule.errno)
  const args = list(rule.args, 'args').map(convertArg)
  return [
    {
      names,
      action: text(rule.action, 'action'),
      ...(errno !== undefined && { errnoRet: errno }),
      ...(args.length > 0 && { args }),
    },
  ]
}

function convertArg(value: unknown): OciSeccompArg {
  const from = dictionary(value, 'args[]')
  const valueTwo = from.valueTwo === undefined ? undefined : integer(from.valueTwo, 'valueTwo')
  return {
    index: integer(from.index, 'index'),
    value: integer(from.value ?? 0, 'value'),
    ...(valueTwo !== undefined && { valueTwo }),
    op: text(from.op, 'op'),
  }
}

/** An errno given as a number, or by name as newer profiles do. */
function errnoOf(number: unknown, name: unknown): number | undefined {
  if (number !== undefined && number !== null) return integer(number, 'errnoRet')
  if (name === undefined || name === null || name === '') return undefined
  const value = (constants.errno as Record<string, number>)[text(name, 'errno')]
  if (value === undefined) throw refused(`it names the unknown error ${name}`)
  return value
}

function dictionary(value: unknown, what: string): Dictionary {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Dictionary
  throw refused(`${what} is not a JSON object`)
}

function list(value: unknown, what: string): unknown[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value
  throw refused(`${what} is not a list`)
}

function text(value: unknown, what: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw refused(`${what} is missing or not a text`)
}

/** JSON numbers above 2^53 were rounded when they were parsed: such a rule would filter something else. */
function integer(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw refused(`${what} is not a whole number that can be kept exactly`)
}

function refused(why: string): TspodError {
  return new TspodError('SECURITY_REFUSED', `the seccomp profile cannot be used: ${why}`, {
    remedy: 'repair the profile, or ask for `seccompProfile: {type: RuntimeDefault}`',
  })
}
