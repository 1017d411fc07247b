/**
 * GET requests of probes and hooks: no proxy, no connection that is kept, certificates not looked at, and of the
 * answer no more than a few kilobytes. Source: the kubelet's http probe and lifecycle handler.
 */
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http'
import type { Handler } from '../../../model.ts'
import type { Finding } from './handle.ts'
import { dialError } from './tcp.ts'

type HttpHandler = Extract<Handler, { kind: 'http' }>
type Target = { handler: HttpHandler; host: string; agent: string }
type Answer = { status: number; location: string | undefined; body: string }

/** What of a body is read. */
const MAX_BODY_BYTES = 10 * 1024
const MAX_REDIRECTS = 10
const REDIRECTS = [301, 302, 303, 307, 308]

/** 200 to 399 is success. Redirects are followed on the same host only; one to elsewhere is a success with a warning. */
export async function probeHttp(target: Target, signal: AbortSignal): Promise<Finding> {
  let url = urlOf(target)
  const shown = url.href
  try {
    for (let redirects = 0; ; redirects++) {
      const { status, location, body } = await get(url, target, signal)
      if (location !== undefined && REDIRECTS.includes(status)) {
        const next = new URL(location, url)
        if (next.hostname === url.hostname && isWeb(next)) {
          if (redirects === MAX_REDIRECTS)
            return { is: 'failure', text: `Get "${shown}": stopped after ${MAX_REDIRECTS} redirects` }
          url = next
          continue
        }
      }
      if (status < 200 || status >= 400) return { is: 'failure', text: `HTTP probe failed with statuscode: ${status}` }
      return status < 300
        ? { is: 'success', text: '' }
        : { is: 'warning', text: `Probe terminated redirects, Response body: ${body}` }
    }
  } catch (error) {
    return { is: 'failure', text: `Get "${shown}": ${whyNot(url, error as Error, signal)}` }
  }
}

/**
 * The request of a hook: whatever the answer is, it has been asked. `fallback` is called where a server that was to
 * speak TLS does not, before it is asked without.
 */
export async function callHttp(target: Target, signal: AbortSignal, fallback: () => void): Promise<void> {
  const url = urlOf(target)
  try {
    await get(url, target, signal)
  } catch (error) {
    if (!PLAIN_ANSWER.test((error as Error).message)) throw error
    fallback()
    const plain = new URL(url)
    plain.protocol = 'http:'
    // A port that is the usual one of https would go with the protocol.
    plain.port = String(target.handler.port)
    await get(plain, target, signal)
  }
}

/** What OpenSSL says of a server that answers in plain text. */
const PLAIN_ANSWER = /wrong version number|packet length too long|http request|record layer failure/i

const isWeb = ({ protocol }: URL): boolean => protocol === 'http:' || protocol === 'https:'

function urlOf({ handler: { scheme, port, path }, host }: Target): URL {
  const name = host.includes(':') ? `[${host}]` : host
  return new URL(path.startsWith('/') ? path : `/${path}`, `${scheme}://${name}:${port}`)
}

function whyNot(url: URL, error: Error, signal: AbortSignal): string {
  if (signal.aborted) return 'context deadline exceeded (no answer within the timeout)'
  const { syscall } = error as NodeJS.ErrnoException
  if (syscall !== 'connect' && syscall !== 'getaddrinfo') return error.message
  return dialError(bare(url.hostname), Number(url.port) || (url.protocol === 'https:' ? 443 : 80), error)
}

const bare = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1')

async function get(url: URL, { handler, agent }: Target, signal: AbortSignal): Promise<Answer> {
  const options: RequestOptions & { rejectUnauthorized: boolean } = {
    host: bare(url.hostname),
    ...(url.port !== '' && { port: url.port }),
    path: `${url.pathname}${url.search}`,
    headers: headersOf(handler, agent),
    // A connection of its own, which ends with the answer.
    agent: false,
    // A probe asks whether the server answers, not who it is: as in Kubernetes.
    rejectUnauthorized: false,
    signal,
  }
  const ask = url.protocol === 'https:' ? (await import('node:https')).request : request
  return new Promise((resolve, reject) => {
    let asked: ClientRequest
    try {
      asked = ask(options, answer => read(answer, resolve, reject))
    } catch (error) {
      // A header or path that cannot be sent.
      return reject(error)
    }
    asked.once('error', reject)
    asked.end()
  })
}

function read(answer: IncomingMessage, resolve: (answer: Answer) => void, reject: (error: Error) => void): void {
  const parts: Buffer[] = []
  let bytes = 0
  const done = (): void => {
    const body = Buffer.concat(parts).subarray(0, MAX_BODY_BYTES).toString('utf8')
    resolve({ status: answer.statusCode ?? 0, location: answer.headers.location, body })
    answer.destroy()
  }
  answer.on('data', (part: Buffer) => {
    parts.push(part)
    bytes += part.length
    if (bytes >= MAX_BODY_BYTES) done()
  })
  answer.once('end', done)
  answer.once('error', reject)
}

/** Those of the manifest, over a program's name and what it takes; an empty one of these two is not sent at all. */
function headersOf({ headers }: HttpHandler, agent: string): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = { 'user-agent': agent, accept: '*/*', connection: 'close' }
  const given = new Map<string, string[]>()
  for (const { name, value } of headers) {
    const key = name.toLowerCase()
    given.set(key, [...(given.get(key) ?? []), value])
  }
  for (const [name, values] of given) {
    const [first = ''] = values
    if (name === 'host') all.host = first
    else if ((name === 'accept' || name === 'user-agent') && first === '') delete all[name]
    else all[name] = values.length === 1 ? first : values
  }
  return all
}
