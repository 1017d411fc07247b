/** /etc/passwd and /etc/group of an image: read as untrusted text, looked up by our own rules. */

/** The largest id Kubernetes and runc accept. */
export const MAX_ID = 2_147_483_647

export type PasswdEntry = { name: string; uid: number; gid: number; home: string }
export type GroupEntry = { name: string; gid: number; members: string[] }

/** A decimal id within range, undefined for anything else: no sign, no space, no exponent, no wrap-around. */
export function parseId(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined
  const value = Number(text)
  return value <= MAX_ID ? value : undefined
}

/** Well-formed lines of /etc/passwd in order; malformed ones do not count. */
export function parsePasswd(text: string): PasswdEntry[] {
  return text.split('\n').flatMap(line => {
    const [name = '', , uidText = '', gidText = '', , home = ''] = line.split(':')
    const [uid, gid] = [parseId(uidText), parseId(gidText)]
    return name === '' || uid === undefined || gid === undefined ? [] : [{ name, uid, gid, home }]
  })
}

/** Well-formed lines of /etc/group in order; malformed ones do not count. */
export function parseGroup(text: string): GroupEntry[] {
  return text.split('\n').flatMap(line => {
    const [name = '', , gidText = '', members = ''] = line.split(':')
    const gid = parseId(gidText)
    return name === '' || gid === undefined ? [] : [{ name, gid, members: members.split(',') }]
  })
}
