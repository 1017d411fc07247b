/** Flags about registries, the same for `kube play` and `image pull`. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { PlayOptions } from '../engine/index.ts'
import type { FlagTable, FlagValues, Problem } from './flags.ts'
import { systemReason } from './source.ts'
import type { World } from './verb.ts'

export const REGISTRY_FLAGS = {
  authfile: {
    kind: 'text',
    value: 'PATH',
    help: 'file with registry credentials; the variable REGISTRY_AUTH_FILE is used without it',
  },
  creds: {
    kind: 'text',
    value: 'USER:PASSWORD',
    help: 'registry credentials; --authfile keeps them out of the process list',
  },
  'cert-dir': { kind: 'text', value: 'DIR', help: 'directory with the TLS certificates of the registry' },
  'tls-verify': {
    kind: 'tristate',
    help: 'require HTTPS and verify certificates (default true, or what registries.conf says)',
  },
  'signature-policy': { kind: 'text', value: 'PATH', hidden: true, help: 'another policy.json for this command' },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'show no progress' },
} as const satisfies FlagTable

/** What the flags ask of a pull. Paths become absolute; what is wrong with them is added to `problems`. */
export async function pullOptions(
  flags: FlagValues<typeof REGISTRY_FLAGS>,
  world: Pick<World, 'cwd' | 'env'>,
  problems: Problem[],
): Promise<PlayOptions['pull']> {
  const options: PlayOptions['pull'] = { quiet: flags.quiet }
  if (flags.authfile !== undefined) {
    options.authFile = resolve(world.cwd, flags.authfile)
    problems.push(...(await inaccessible('credential file', flags.authfile, world.cwd)))
  } else if (world.env.REGISTRY_AUTH_FILE) {
    // A path from the environment need not exist: it is where a login would write to.
    const fromLogin = resolve(world.cwd, world.env.REGISTRY_AUTH_FILE)
    if ((await inaccessible('credential file', fromLogin, world.cwd)).length === 0) options.authFile = fromLogin
  }
  const proxy = proxyOf(world.env)
  if (proxy !== undefined) options.proxy = proxy
  if (flags['cert-dir'] !== undefined) {
    options.certDir = resolve(world.cwd, flags['cert-dir'])
    problems.push(...(await inaccessible('certificate directory', flags['cert-dir'], world.cwd)))
  }
  if (flags['signature-policy'] !== undefined) {
    options.signaturePolicy = resolve(world.cwd, flags['signature-policy'])
    problems.push(...(await inaccessible('signature policy', flags['signature-policy'], world.cwd)))
  }
  if (flags.creds !== undefined) {
    if (!/^[^:]+:./.test(flags.creds)) {
      problems.push({
        message: '--creds needs USER:PASSWORD',
        remedy: 'or log in with `skopeo login` and give --authfile',
      })
    }
    options.creds = flags.creds
  }
  if (flags['tls-verify'] !== undefined) options.tlsVerify = flags['tls-verify']
  return options
}

/** The proxies of the caller's environment, in either spelling. */
function proxyOf(env: World['env']): PlayOptions['pull']['proxy'] {
  const names = ['http_proxy', 'https_proxy', 'no_proxy'] as const
  const known = names.flatMap(name => {
    const value = env[name] ?? env[name.toUpperCase()]
    return value ? [[name, value] as const] : []
  })
  return known.length === 0 ? undefined : Object.fromEntries(known)
}

/** The wording is Podman's: scripts look for it. */
async function inaccessible(what: string, path: string, cwd: string): Promise<Problem[]> {
  try {
    await stat(resolve(cwd, path))
    return []
  } catch (cause) {
    return [{ message: `${what} is not accessible: faccessat ${path}: ${systemReason(cause)}` }]
  }
}
