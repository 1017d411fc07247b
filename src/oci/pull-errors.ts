/** What a failed pull means, by name: pure. */
import type { Finished } from '../process.ts'
import type { Candidate, ImageName } from './image-name.ts'

export type PullFailure = { registry: string; why: string; remedy: string }

type Subject = { registry: string; repository: string; wanted: string; loggedIn: boolean }
type Rule = { says: RegExp; why: (subject: Subject) => string; remedy: (subject: Subject) => string }

/**
 * What containers/image and registries print, most telling first: a message often wraps several causes. Registries
 * that hide private repositories answer "denied" or "unauthorized" for those that do not exist.
 */
const RULES: readonly Rule[] = [
  {
    says: /x509: certificate signed by unknown authority|certificate is not trusted|self[- ]signed certificate/i,
    why: ({ registry }) => `the TLS certificate of ${registry} is signed by an unknown authority`,
    remedy: ({ registry }) =>
      `put the authority's certificate into /etc/containers/certs.d/${registry}/ca.crt, or give --cert-dir`,
  },
  {
    says: /x509: certificate has expired|x509: certificate is (valid for|not valid)|x509: cannot validate certificate|x509:/i,
    why: ({ registry }) => `the TLS certificate of ${registry} is not valid for it, or has expired`,
    remedy: () => "correct the registry's certificate, and see that the clock of this host is right",
  },
  {
    says: /server gave HTTP response to HTTPS client|first record does not look like a TLS handshake/i,
    why: ({ registry }) => `registry ${registry} does not speak TLS`,
    remedy: ({ registry }) =>
      `if that is meant to be, mark ${registry} insecure in /etc/containers/registries.conf, or give --tls-verify=false`,
  },
  {
    says: /is blocked|blocked in/i,
    why: ({ registry }) => `registry ${registry} is blocked in /etc/containers/registries.conf`,
    remedy: () => 'use another registry, or ask who administers this host',
  },
  {
    says: /does not match (?:provided manifest )?digest|digest mismatch|does not match expected/i,
    why: ({ registry, wanted }) => `registry ${registry} sent something else than the ${wanted} it was asked for`,
    remedy: ({ registry }) => `do not use it: ${registry}, or a mirror or proxy in between, is broken or hostile`,
  },
  {
    says: /invalid username\/password|incorrect username or password|unable to retrieve auth token: invalid/i,
    why: ({ registry }) => `wrong user name or password for ${registry}`,
    remedy: ({ registry }) => `give --creds or --authfile with valid credentials, or run: skopeo login ${registry}`,
  },
  {
    says: /unauthorized|authentication required|status(?: code)?:? 401|no basic auth credentials/i,
    why: ({ registry, repository, loggedIn }) =>
      loggedIn
        ? `wrong user name or password for ${registry}`
        : `registry ${registry} wants a user name and password, or has no repository ${repository}`,
    remedy: ({ registry }) => `give --creds or --authfile with valid credentials, or run: skopeo login ${registry}`,
  },
  {
    says: /denied|status(?: code)?:? 403|forbidden/i,
    why: ({ registry, repository }) => `registry ${registry} denies access to repository ${repository}`,
    remedy: ({ registry }) => `check the name, and that the user logged in to ${registry} may read it`,
  },
  {
    says: /manifest unknown|name unknown|repository name not known|manifest not found|status(?: code)?:? 404|not found/i,
    why: ({ wanted, repository, registry }) => `no ${wanted} in repository ${repository} of ${registry}`,
    remedy: ({ registry, repository }) =>
      `check the name; the tags there are: skopeo list-tags docker://${registry}/${repository}`,
  },
  {
    says: /toomanyrequests|too many requests|status(?: code)?:? 429/i,
    why: ({ registry }) => `registry ${registry} answers "too many requests"`,
    remedy: () => 'wait and play again, log in for a higher limit, or use a mirror',
  },
  {
    says: /no image found in (?:manifest list|image index) for architecture/i,
    why: ({ wanted, repository }) => `${wanted} of ${repository} has no image for this machine's architecture`,
    remedy: () => 'use a tag that is built for this machine',
  },
  {
    says: /no such host|server misbehaving|name resolution|lookup .* on/i,
    why: ({ registry }) => `registry ${registry} does not answer: its name cannot be resolved`,
    remedy: () => 'check the name, and the DNS servers of this host (/etc/resolv.conf)',
  },
  {
    says: /connection refused|no route to host|network is unreachable|i\/o timeout|deadline exceeded|Client\.Timeout|connection reset|TLS handshake timeout|\bEOF\b/i,
    why: ({ registry }) => `registry ${registry} does not answer`,
    remedy: ({ registry }) => `check that ${registry} is right and up, and the network and proxy of this host`,
  },
  {
    says: /received unexpected HTTP status: 5|status(?: code)?:? 5\d\d|internal server error|bad gateway|service unavailable/i,
    why: ({ registry }) => `registry ${registry} has an internal error`,
    remedy: () => 'play again later',
  },
  {
    says: /source image rejected|signature|policy/i,
    why: ({ wanted, repository }) => `${wanted} of ${repository} is rejected by the signature policy`,
    remedy: () => 'sign the image, or change what /etc/containers/policy.json demands of this registry',
  },
  {
    says: /no space left on device/i,
    why: () => 'no space is left for the image',
    remedy: () => 'free some space where images are stored (/var/lib/containers) and in /var/lib/tspod',
  },
]

/**
 * Turns skopeo's failure into a reason and a way out; its own last words when they are unknown here. `loggedIn`: there
 * were credentials for this registry.
 */
export function judgePull(candidate: Candidate, name: ImageName, finished: Finished, loggedIn: boolean): PullFailure {
  const [registry = '', ...path] = candidate.repository.split('/')
  const subject = {
    registry,
    repository: path.join('/'),
    loggedIn,
    wanted: name.digest === undefined ? `tag ${candidate.tag}` : `digest ${name.digest}`,
  }
  const said = fatalMessage(finished.stderr)
  const rule = RULES.find(({ says }) => says.test(said))
  if (rule === undefined)
    return {
      registry,
      why: said || `skopeo exited with code ${finished.exitCode}`,
      remedy: 'see `skopeo inspect docker://…` by hand',
    }
  return { registry, why: rule.why(subject), remedy: rule.remedy(subject) }
}

/** The text of the last `msg="…"` of logrus output. */
function fatalMessage(stderr: string): string {
  const last = stderr.trim().split('\n').at(-1) ?? ''
  const quoted = /\bmsg=("(?:[^"\\]|\\.)*")/.exec(last)?.[1]
  if (quoted === undefined) return last
  try {
    return JSON.parse(quoted) as string
  } catch {
    return quoted.slice(1, -1)
  }
}
