/** Doing what a probe or a hook does: exec in the container, everything else from here to the pod's address. */
import type { Clock } from '../../../clock.ts'
import { TspodError } from '../../../errors.ts'
import type { Handler } from '../../../model.ts'
import { VERSION } from '../../../version.ts'

/** `warning`: a success with something to say. `unknown`: it could not be tried. */
export type Finding = { is: 'success' | 'warning' | 'failure' | 'unknown'; text: string }

/** Where a pod is reached: what its network is, and the addresses it has there. */
export type Whereabouts = { network: 'bridge' | 'host' | 'none'; addresses: readonly string[] }

/** A container to do it in. */
export type Site = Whereabouts & {
  clock: Clock
  /** Runs a command in it; a code other than 0 and a timeout are a `failure`. */
  exec(command: readonly string[], timeoutMs: number, signal?: AbortSignal): Promise<Finding>
}

/** What servers see of probes and hooks: some answer `kube-probe/` in another way than people. */
const PROBE_AGENT = `kube-probe/1.34 tspod/${VERSION}`
const HOOK_AGENT = `kube-lifecycle/1.34 tspod/${VERSION}`

/** Tries a probe once, within its time. Never throws. */
export async function tryProbe(handler: Handler, site: Site, timeoutMs: number): Promise<Finding> {
  if (handler.kind === 'exec') return site.exec(handler.command, timeoutMs).catch(unknown)
  if (handler.kind === 'sleep') return { is: 'success', text: '' }
  return within(site.clock, timeoutMs, signal => reach(handler, site, signal)).catch(unknown)
}

const unknown = (error: unknown): Finding => ({ is: 'unknown', text: (error as Error).message })

async function reach(
  handler: Exclude<Handler, { kind: 'exec' | 'sleep' }>,
  site: Site,
  signal: AbortSignal,
): Promise<Finding> {
  const host = hostOf(handler, site)
  if (handler.kind === 'tcp') return (await import('./tcp.ts')).probeTcp(host, handler.port, signal)
  if (handler.kind === 'http')
    return (await import('./http.ts')).probeHttp({ handler, host, agent: PROBE_AGENT }, signal)
  return (await import('./grpc.ts')).probeGrpc({ ...handler, host, agent: PROBE_AGENT }, signal)
}

/**
 * Runs a hook until it has ended, at most `timeoutMs`. `fallback` as in `callHttp`.
 * @throws HOOK_FAILED, and the reason of `signal`.
 */
export async function doHook(
  handler: Handler,
  site: Site,
  { timeoutMs, signal, fallback }: { timeoutMs: number; signal?: AbortSignal; fallback(): void },
): Promise<void> {
  switch (handler.kind) {
    case 'sleep':
      return site.clock.sleep(Math.min(handler.ms, timeoutMs), signal)
    case 'exec': {
      const { is, text } = await site.exec(handler.command, timeoutMs, signal)
      signal?.throwIfAborted()
      if (is !== 'success') throw hookFailed(text)
      return
    }
    case 'http': {
      const target = { handler, host: hostOf(handler, site), agent: HOOK_AGENT }
      const { callHttp } = await import('./http.ts')
      try {
        return await within(site.clock, timeoutMs, own => callHttp(target, own, fallback), signal)
      } catch (error) {
        signal?.throwIfAborted()
        throw hookFailed((error as Error).message)
      }
    }
    default:
      // The API has it for old manifests' sake, and the kubelet fails it as well.
      throw hookFailed('tcpSocket is no handler of hooks: it always fails, as in Kubernetes')
  }
}

const hookFailed = (why: string): TspodError =>
  new TspodError('HOOK_FAILED', why, { remedy: 'mend the hook, or see what it said: TSPOD_LOG=info' })

/** Where to send it: what the manifest names, else the pod's first address. Throws HOST_LACKS where it has none. */
export function hostOf(handler: Handler, { network, addresses }: Whereabouts): string {
  if ('host' in handler && handler.host !== undefined) return handler.host
  const [address] = network === 'host' ? ['127.0.0.1'] : addresses
  if (network !== 'none' && address !== undefined) return address
  throw new TspodError('HOST_LACKS', 'the pod has no network (--network none), so nothing can be sent to it', {
    remedy: 'use an exec probe or hook, or give the pod a network',
  })
}

/** Gives `act` a signal that is its deadline, or somebody's wish. */
async function within<T>(
  clock: Clock,
  timeoutMs: number,
  act: (signal: AbortSignal) => Promise<T>,
  wish?: AbortSignal,
): Promise<T> {
  const deadline = new AbortController()
  const over = new AbortController()
  const timer = clock.sleep(timeoutMs, over.signal).then(
    () => deadline.abort(),
    () => undefined,
  )
  try {
    return await act(wish === undefined ? deadline.signal : AbortSignal.any([deadline.signal, wish]))
  } finally {
    over.abort()
    await timer
  }
}
