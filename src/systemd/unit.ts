/** The systemd unit this process was started by, where that unit has left its cgroup to what runs in it. */
import { readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { attributeOf } from '../syscalls.ts'

/** A service whose cgroup is ours to divide; the path is relative to the mount of the tree. */
export type Unit = {
  name: string
  cgroup: string
  /** Where its manager listens for notifications, where it does. */
  notify?: string
}

/** The tree that systemd keeps its units in: cgroup v2, or `name=systemd` of v1. */
export type UnitTree = { mount: string; controllers: '' | 'name=systemd' }

/** `inner` is where below the unit's cgroup the process is, empty when it is right in it. */
export type Standing = { unit: Unit; inner: string }

/** What systemd calls the cgroup of ExecStop and its like, and what DelegateSubgroup= and tspod call that of helpers. */
const HELPERS = ['', 'control', '.control']

/**
 * The service that a process with this /proc/PID/cgroup belongs to; undefined in a scope (a login session, for one), or
 * in a part of a service that somebody else has divided. Pure. Source: cgroups(7), systemd's CGROUP_DELEGATION.
 */
export function standingIn(cgroups: string, controllers: UnitTree['controllers']): Standing | undefined {
  const line = cgroups.split('\n').find(text => text.split(':')[1] === controllers)
  const parts = line?.split(':').slice(2).join(':').split('/') ?? []
  const at = parts.findLastIndex(part => /\.(service|scope)$/.test(part))
  const part = parts[at]
  const inner = parts.slice(at + 1).join('/')
  if (part === undefined || part.endsWith('.scope') || !HELPERS.includes(inner)) return undefined
  // systemd puts a _ before names that would look like the kernel's own files.
  return { unit: { name: part.replace(/^_/, ''), cgroup: parts.slice(0, at + 1).join('/') }, inner }
}

/**
 * The delegated unit this process was started by, undefined outside of one. Three witnesses have to agree: our own
 * cgroup, the INVOCATION_ID that systemd gave to this run of the unit, and the mark of Delegate=yes on the cgroup.
 * Source: systemd.exec(5), CGROUP_DELEGATION (`user.delegate`, before systemd 251 `trusted.delegate`).
 */
export function ownUnit(tree: UnitTree, invocationId: string | undefined): Standing | undefined {
  if (invocationId === undefined) return undefined
  const standing = standingIn(readFileSync('/proc/self/cgroup', 'utf8'), tree.controllers)
  if (standing === undefined || invocationOf(standing.unit.name) !== invocationId) return undefined
  const directory = join(tree.mount, standing.unit.cgroup)
  const isDelegated = ['user.delegate', 'trusted.delegate'].some(name => attributeOf(directory, name) === '1')
  return isDelegated ? standing : undefined
}

/** systemd keeps the id of a unit's current run where it can be read without asking. */
function invocationOf(unit: string): string | undefined {
  try {
    return readlinkSync(`/run/systemd/units/invocation:${unit}`)
  } catch {
    return undefined
  }
}
