/**
 * The health check of gRPC (grpc.health.v1.Health/Check) over plain HTTP/2, by hand: its two messages have one field
 * each.
 */
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import type { Finding } from './handle.ts'

const METHOD = '/grpc.health.v1.Health/Check'
/** An answer is five bytes of length and two of message. */
const MAX_ANSWER_BYTES = 10 * 1024
const STATES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
const UNIMPLEMENTED = '12'

type Asked = { host: string; port: number; service: string; agent: string }
type Answer = { status: string; message: string; body: Buffer }

/** SERVING is success, everything else is failure. */
export async function probeGrpc(asked: Asked, signal: AbortSignal): Promise<Finding> {
  const { host, port, service } = asked
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const session = connect(`http://${place}`)
  // Its requests fail with the same error, and tell of it.
  session.on('error', () => undefined)
  try {
    const { status, message, body } = await check(session, asked, signal)
    if (status === UNIMPLEMENTED) {
      const why = 'this server does not implement the grpc health protocol (grpc.health.v1.Health)'
      return failure(`error: ${why}: ${message}`)
    }
    if (status !== '0') return failure(`error: health rpc probe failed: code ${status}: ${message}`)
    const state = stateIn(body)
    if (state === 1) return { is: 'success', text: '' }
    return failure(`service unhealthy (responded with "${STATES[state] ?? state}")`)
  } catch (error) {
    if (signal.aborted) return failure(`timeout: health rpc of "${service}" did not complete on ${place}`)
    return failure(`error: failed to connect service "${place}": ${(error as Error).message}`)
  } finally {
    session.destroy()
  }
}

const failure = (text: string): Finding => ({ is: 'failure', text })

function check(session: ClientHttp2Session, { service, agent }: Asked, signal: AbortSignal): Promise<Answer> {
  const stream = session.request(
    {
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: METHOD,
      'content-type': 'application/grpc',
      'user-agent': agent,
      te: 'trailers',
    },
    { signal },
  )
  return new Promise((resolve, reject) => {
    const answer: Answer = { status: '', message: '', body: Buffer.alloc(0) }
    const take = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] === undefined) return
      answer.status = String(headers['grpc-status'])
      answer.message = decodeURIComponent(String(headers['grpc-message'] ?? ''))
    }
    stream.on('response', headers => {
      if (headers[':status'] !== 200) reject(new Error(`unexpected HTTP status code ${headers[':status']}`))
      // An error without a message comes in the headers, everything else in the trailers.
      take(headers)
    })
    stream.on('trailers', take)
    stream.on('data', (part: Buffer) => {
      answer.body = Buffer.concat([answer.body, part])
      if (answer.body.length > MAX_ANSWER_BYTES) stream.destroy(new Error('the answer is too long'))
    })
    stream.once('error', reject)
    stream.once('end', () => (answer.status === '' ? reject(new Error('no status')) : resolve(answer)))
    stream.end(frame(service))
  })
}

/** HealthCheckRequest { string service = 1 }, with the flag and length that come before each message. */
function frame(service: string): Buffer {
  const name = Buffer.from(service)
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}

/** HealthCheckResponse { ServingStatus status = 1 }: absent is 0, and all there are fit into one byte. */
const stateIn = (body: Buffer): number => (body[5] === 0x08 ? (body[6] ?? 0) : 0)
