import { describe, expect, test } from '@jest/globals'
import { judgePull } from '../../../src/oci/pull-errors.ts'

const judge = (msg: string, loggedIn = false) =>
  judgePull(
    { repository: 'reg.example:5000/team/app', tag: '1' },
    { registry: 'reg.example:5000', path: 'team/app', tag: '1' },
    {
      argv: ['skopeo'],
      exitCode: 1,
      stdout: '',
      stderr: `time="x" level=warning msg="retrying"\ntime="x" level=fatal msg=${JSON.stringify(msg)}\n`,
    },
    loggedIn,
  )

/** Those that test/integration/image does not provoke are in the wording of the containers/image library. */
const messages: [message: string, why: string][] = [
  [
    'initializing source docker://x: reading manifest 1 in x: unauthorized: authentication required',
    'wants a user name and password',
  ],
  [
    'initializing source docker://x: unable to retrieve auth token: invalid username/password: unauthorized',
    'wrong user name or password for reg.example:5000',
  ],
  [
    'initializing source docker://x: reading manifest 1 in x: manifest unknown: manifest unknown',
    'no tag 1 in repository team/app of reg.example:5000',
  ],
  ['reading manifest 1 in x: name unknown: repository name not known to registry', 'no tag 1 in repository team/app'],
  [
    'reading manifest 1 in x: denied: requested access to the resource is denied',
    'denies access to repository team/app',
  ],
  [
    'pinging container registry x: Get "https://x/v2/": dial tcp 1.2.3.4:443: connect: connection refused',
    'reg.example:5000 does not answer',
  ],
  [
    'pinging container registry x: Get "https://x/v2/": dial tcp 1.2.3.4:443: connect: no route to host',
    'does not answer',
  ],
  [
    'pinging container registry x: Get "https://x/v2/": dial tcp: lookup x on 1.1.1.1:53: no such host',
    'name cannot be resolved',
  ],
  ['pinging container registry x: Get "https://x/v2/": dial tcp 1.2.3.4:443: i/o timeout', 'does not answer'],
  [
    'pinging container registry x: Get "https://x/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority',
    'signed by an unknown authority',
  ],
  [
    'pinging container registry x: Get "https://x/v2/": x509: certificate has expired or is not yet valid',
    'not valid for it, or has expired',
  ],
  [
    'pinging container registry x: Get "https://x/v2/": http: server gave HTTP response to HTTPS client',
    'does not speak TLS',
  ],
  ['reading manifest 1 in x: toomanyrequests: You have reached your pull rate limit', 'too many requests'],
  ['reading manifest 1 in x: received unexpected HTTP status: 500 Internal Server Error', 'internal error'],
  [
    'choosing image instance: no image found in manifest list for architecture riscv64, variant "", OS linux',
    "this machine's architecture",
  ],
  ['Source image rejected: Running image docker://x is rejected by policy.', 'rejected by the signature policy'],
  ['registry reg.example:5000 is blocked in /etc/containers/registries.conf', 'is blocked'],
  ['writing blob: storing blob to file "/x": write /x: no space left on device', 'no space is left'],
  ['Manifest does not match provided manifest digest sha256:00', 'sent something else'],
]

describe('a failed pull', () => {
  for (const [message, why] of messages) {
    test(message.slice(-60), () => {
      const failure = judge(message)
      expect(failure).toMatchObject({ registry: 'reg.example:5000', why: expect.stringContaining(why) })
      expect(failure.remedy).toMatch(/^[a-z].*[^.]$/)
    })
  }

  test('with credentials, unauthorized means that they are wrong', () => {
    expect(judge('unauthorized: authentication required', true).why).toBe(
      'wrong user name or password for reg.example:5000',
    )
  })

  test('that nobody foresaw keeps its own words', () => {
    expect(judge('the moon is in the "way"').why).toBe('the moon is in the "way"')
  })
})
