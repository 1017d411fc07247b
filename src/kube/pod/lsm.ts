/** AppArmor profiles and SELinux labels of a securityContext. Whether the host has such a thing is told when it runs. */
import type { AppArmorSpec } from '../../model.ts'
import type { Field } from '../yaml/index.ts'
import { quote } from '../yaml/index.ts'

/** Names of profiles as apparmor_parser takes them, without the characters the kernel's interface gives a meaning. */
const PROFILE = /^[A-Za-z0-9_./+-][A-Za-z0-9_./+-]*$/
const MAX_PROFILE = 255
const LABEL_PART = /^[A-Za-z0-9_.,:-]+$/

/** The profile of a container with the pod's as its default; undefined: none is asked for. */
export function readAppArmor(container: Field, pod: Field): AppArmorSpec | undefined {
  const field = container.at('appArmorProfile').present ? container.at('appArmorProfile') : pod.at('appArmorProfile')
  if (!field.present) return undefined
  const type = field.at('type').oneOf(['', 'RuntimeDefault', 'Unconfined', 'Localhost'], '')
  const profile = field.at('localhostProfile')
  if (type === '') return undefined
  if (type !== 'Localhost') {
    if (profile.present) profile.issueAt(profile.key, 'FORBIDDEN', 'is only for type: Localhost', 'remove it')
    return { type }
  }
  const text = profile.string() ?? ''
  if (text === '') profile.issue('REQUIRED', 'type Localhost needs the name of a profile', 'add localhostProfile')
  else if (text !== text.trim() || !PROFILE.test(text) || text.length > MAX_PROFILE)
    profile.issue(
      'INVALID_VALUE',
      `${quote(text)} is not the name of a profile`,
      'see `aa-status` for those that are loaded',
    )
  return { type, profile: text }
}

/** The parts of the label that the manifest sets: all of the container's, or else all of the pod's. */
export function readSelinux(container: Field, pod: Field): Record<string, string> | undefined {
  const label: Record<string, string> = {}
  const own = container.at('seLinuxOptions')
  const options = own.present ? own : pod.at('seLinuxOptions')
  for (const part of ['user', 'role', 'type', 'level']) {
    const field = options.at(part)
    const text = field.string() ?? ''
    if (text === '') continue
    if (!LABEL_PART.test(text)) field.issue('INVALID_VALUE', `${quote(text)} is not a part of an SELinux label`)
    else label[part] = text
  }
  return Object.keys(label).length > 0 ? label : undefined
}
