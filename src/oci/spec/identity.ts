/** Whom a container runs as: manifest, image and the image's own user list, reduced to numbers. */
import { TspodError } from '../../errors.ts'
import { readBeneath } from '../../files.ts'
import type { ContainerSecurity, PodSecurity } from '../../model.ts'
import { type GroupEntry, MAX_ID, type PasswdEntry, parseGroup, parseId, parsePasswd } from './passwd.ts'
import type { Identity } from './types.ts'

/** An image with larger user lists is refused: reading them is the image's way to make us work. */
const MAX_LIST_BYTES = 4 * 1024 * 1024

/**
 * The user, group and supplementary groups of a container. `imageUser` is the image's USER; `userFlag` is `exec -u`
 * and replaces both it and the manifest's runAsUser and runAsGroup.
 *
 * As in Kubernetes: runAsUser replaces the image's user, the group is runAsGroup, or else the one the image's
 * /etc/passwd gives the user, or else 0; groups of the image's /etc/group are merged with supplementalGroups and
 * fsGroup, unless supplementalGroupsPolicy is Strict. The primary group is repeated among them, so that it cannot be dropped to pass a rule against it
 * (CVE-2022-36109). Unlike the kubelet, a user name is good for runAsNonRoot when the image maps it to another id
 * than 0; the number is what the runtime gets.
 *
 * Throws SECURITY_REFUSED when runAsNonRoot is set and the user is root, IMAGE_BAD_CONFIG when the user or group
 * cannot be found or is out of range, UNSAFE_PATH when the lists are no plain files of a sane size.
 */
export function resolveIdentity(
  rootfs: string,
  imageUser: string,
  security: ContainerSecurity,
  pod: PodSecurity,
  userFlag?: string,
): Identity {
  // Both are always read: a runtime reads them again inside, where a FIFO would make it wait for ever.
  const users = parsePasswd(readList(rootfs, 'etc/passwd'))
  const groups = parseGroup(readList(rootfs, 'etc/group'))
  const who = userFlag ?? (security.runAsUser === undefined ? imageUser : String(security.runAsUser))
  const [userText = '', groupText] = splitOnce(who)
  const user = findUser(userText, users, who)
  const gid = chooseGid(userFlag === undefined ? security.runAsGroup : undefined, groupText, user, groups, who)
  if (userFlag === undefined && security.runAsNonRoot && user.uid === 0) throw isRoot(imageUser, security)
  const ofImage = user.name === undefined ? [] : groups.filter(group => group.members.includes(user.name ?? ''))
  const extra = [
    ...(pod.strictGroups ? [] : ofImage.map(group => group.gid)),
    ...pod.supplementalGroups,
    ...(pod.fsGroup === undefined ? [] : [pod.fsGroup]),
  ]
  return { uid: user.uid, gid, groups: [...new Set([gid, ...extra])], home: user.home }
}

type Found = { uid: number; name?: string; gid?: number; home: string }

function findUser(text: string, users: readonly PasswdEntry[], who: string): Found {
  const uid = text === '' ? 0 : parseId(text)
  if (uid === undefined && /^\d+$/.test(text)) throw badUser(who, `the user id ${text} is above ${MAX_ID}`)
  const entry = users.find(candidate => (uid === undefined ? candidate.name === text : candidate.uid === uid))
  if (entry !== undefined) return { ...entry, home: safeHome(entry.home, entry.uid) }
  if (uid === undefined) throw badUser(who, `the image has no user "${text}" in /etc/passwd`)
  return { uid, home: safeHome('', uid) }
}

/** An entry's home directory, unless it could do more than name a directory when it is put into the environment. */
function safeHome(home: string, uid: number): string {
  if (home.startsWith('/') && !/[\0-\x1f\x7f]/.test(home)) return home
  return uid === 0 ? '/root' : '/'
}

function chooseGid(
  runAsGroup: number | undefined,
  text: string | undefined,
  user: Found,
  groups: readonly GroupEntry[],
  who: string,
): number {
  if (runAsGroup !== undefined) return runAsGroup
  if (text === undefined || text === '') return user.gid ?? 0
  const gid = parseId(text) ?? groups.find(group => group.name === text)?.gid
  if (gid === undefined) throw badUser(who, `the image has no group "${text}" in /etc/group`)
  return gid
}

function splitOnce(who: string): [string, string | undefined] {
  const colon = who.indexOf(':')
  return colon === -1 ? [who, undefined] : [who.slice(0, colon), who.slice(colon + 1)]
}

function readList(rootfs: string, path: string): string {
  return readBeneath(rootfs, path, MAX_LIST_BYTES)?.toString('utf8') ?? ''
}

function isRoot(imageUser: string, security: ContainerSecurity): TspodError {
  const why = security.runAsUser === 0 ? 'runAsUser is 0' : `the image's user is "${imageUser || 'root'}"`
  return new TspodError('SECURITY_REFUSED', `runAsNonRoot is set, but ${why}`, {
    remedy: 'set securityContext.runAsUser to an id other than 0, or use an image with another USER',
  })
}

function badUser(who: string, why: string): TspodError {
  return new TspodError('IMAGE_BAD_CONFIG', `cannot run as user "${who}": ${why}`, {
    remedy: 'set securityContext.runAsUser and runAsGroup to numbers',
  })
}
