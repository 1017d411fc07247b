/** Grammars of names. Each `…Problem` returns what is wrong with a text, or undefined when it is well formed. */

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const QUALIFIED = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const ENV_NAME = /^[\x20-\x3c\x3e-\x7e]+$/
const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/
const PORT_NAME = /^(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/
const MAX_LABEL = 63
const MAX_SUBDOMAIN = 253

/** DNS-1123 label: names of containers, volumes, namespaces. */
export function labelProblem(text: string): string | undefined {
  if (text.length > MAX_LABEL) return `must be no more than ${MAX_LABEL} characters`
  return LABEL.test(text)
    ? undefined
    : 'must be lower case letters, digits and "-", with a letter or digit at both ends'
}

/** DNS-1123 subdomain: names of objects. */
export function subdomainProblem(text: string): string | undefined {
  if (text.length > MAX_SUBDOMAIN) return `must be no more than ${MAX_SUBDOMAIN} characters`
  return SUBDOMAIN.test(text)
    ? undefined
    : 'must be lower case letters, digits, "-" and ".", with a letter or digit at both ends of each part'
}

/** `[prefix/]name`: keys of labels; annotations allow capitals in the prefix. */
export function qualifiedProblem(text: string): string | undefined {
  const slash = text.indexOf('/')
  const prefix = slash === -1 ? undefined : text.slice(0, slash)
  const name = text.slice(slash + 1)
  if (name.includes('/')) return 'must have at most one "/"'
  if (prefix !== undefined && subdomainProblem(prefix) !== undefined) return 'must have a DNS name before the "/"'
  if (name === '' || name.length > MAX_LABEL) return `must have 1 to ${MAX_LABEL} characters after the prefix`
  return QUALIFIED.test(name)
    ? undefined
    : 'must be letters, digits, "-", "_" and ".", with a letter or digit at both ends'
}

/** What is wrong with the value of a label; undefined when nothing is. An empty one is allowed. */
export function labelValueProblem(text: string): string | undefined {
  if (text === '') return undefined
  if (text.length > MAX_LABEL) return `must be no more than ${MAX_LABEL} characters`
  return QUALIFIED.test(text)
    ? undefined
    : 'must be letters, digits, "-", "_" and ".", with a letter or digit at both ends'
}

/** Any printable ASCII but `=`, as since Kubernetes 1.34. */
export function envNameProblem(text: string): string | undefined {
  return ENV_NAME.test(text) ? undefined : 'must be printable ASCII characters without "="'
}

/** Keys of ConfigMaps and Secrets. */
export function configKeyProblem(text: string): string | undefined {
  if (text.length > MAX_SUBDOMAIN) return `must be no more than ${MAX_SUBDOMAIN} characters`
  if (text === '.' || text.startsWith('..')) return 'must not be "." and must not start with ".."'
  return CONFIG_KEY.test(text) ? undefined : 'must be letters, digits, "-", "_" and "."'
}

/** What is wrong with the name of a port (IANA service name); undefined when nothing is. */
export function portNameProblem(text: string): string | undefined {
  if (text.length > 15) return 'must be no more than 15 characters'
  return PORT_NAME.test(text)
    ? undefined
    : 'must be lower case letters, digits and single "-" inside, with at least one letter'
}

const IMAGE_PATH = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/
const IMAGE_DOMAIN = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/
const IMAGE_TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const IMAGE_DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,128}$/

/** The parts of an image reference `[domain/]path[:tag][@digest]`. */
export type ImageReference = { name: string; tag?: string; digest?: string }

/** Splits an image reference; a text that is none gives the reason. */
export function parseImage(text: string): ImageReference | { problem: string } {
  if (text.length > 512) return { problem: 'must be no more than 512 characters' }
  if (/\s/.test(text)) return { problem: 'must not contain blanks' }
  const at = text.indexOf('@')
  const digest = at === -1 ? undefined : text.slice(at + 1)
  const rest = at === -1 ? text : text.slice(0, at)
  if (digest !== undefined && !IMAGE_DIGEST.test(digest))
    return { problem: 'must have a digest such as sha256:… after "@"' }
  const colon = rest.lastIndexOf(':')
  const tag = colon > rest.lastIndexOf('/') ? rest.slice(colon + 1) : undefined
  const name = tag === undefined ? rest : rest.slice(0, colon)
  if (tag !== undefined && !IMAGE_TAG.test(tag))
    return { problem: `must have a tag of letters, digits, "_", "." and "-" after ":"` }
  const slash = name.indexOf('/')
  const first = name.slice(0, slash)
  // As everywhere: what looks like a host name before the first slash is one.
  const hasDomain = slash !== -1 && (/[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase())
  if (hasDomain && !IMAGE_DOMAIN.test(first))
    return { problem: 'must begin with the name of a registry or of a repository' }
  if (!IMAGE_PATH.test(hasDomain ? name.slice(slash + 1) : name)) {
    return { problem: 'must be [registry/]name[:tag][@digest] with a name in lower case' }
  }
  return { name, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) }
}

/** True for an IPv4 address in dotted decimals or an IPv6 address, without zone and prefix length. */
export const isIp = (text: string): boolean => isIpv4(text) || isIpv6(text)

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every(part => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)
}

function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  let groups = 0
  for (const [index, half] of halves.entries()) {
    if (half === '') continue
    const parts = half.split(':')
    for (const [position, part] of parts.entries()) {
      const last = index === halves.length - 1 && position === parts.length - 1
      if (last && part.includes('.')) {
        if (!isIpv4(part)) return false
        groups += 2
      } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups += 1
      else return false
    }
  }
  return halves.length === 2 ? groups <= 7 : groups === 8
}
