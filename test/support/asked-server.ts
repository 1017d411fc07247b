/**
 * Run inside a cell: `asked-server.ts DIRECTORY` serves HTTP on 18080, HTTPS on 18443 (cert.pem and key.pem of the
 * directory) and the health service of gRPC on 19000, and writes every request as a line of JSON into `asked`.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import { createServer as createSecure } from 'node:https'
import { join } from 'node:path'

const [directory = '/tmp'] = process.argv.slice(2)
const note = (what: object): void => appendFileSync(join(directory, 'asked'), `${JSON.stringify(what)}\n`)

/** Path → status and where to. */
const ANSWERS: Record<string, [status: number, location?: string]> = {
  '/ok': [200],
  '/back': [302, '/ok'],
  '/away': [302, 'http://elsewhere.example/'],
  '/round': [302, '/round'],
  '/bad': [500],
}

const answer = (secure: boolean) => (request: IncomingMessage, response: ServerResponse) => {
  note({ secure, url: request.url, headers: request.headers })
  const [status, location] = ANSWERS[request.url?.replace(/\?.*/, '') ?? ''] ?? [404]
  // More than a probe reads, and not the end.
  if (request.url === '/ok?endless') {
    response.writeHead(200)
    const more = setInterval(() => response.write('x'.repeat(4096)), 5)
    response.once('close', () => clearInterval(more))
    return
  }
  response.writeHead(status, location === undefined ? {} : { location })
  response.end('said')
}

createServer(answer(false)).listen(18_080, '127.0.0.1')
const pair = { cert: readFileSync(join(directory, 'cert.pem')), key: readFileSync(join(directory, 'key.pem')) }
createSecure(pair, answer(true)).listen(18_443, '127.0.0.1')

const health = createHttp2()
health.on('stream', (stream, headers) => {
  const parts: Buffer[] = []
  stream.on('data', (part: Buffer) => parts.push(part))
  stream.on('end', () => {
    const service = Buffer.concat(parts).subarray(7).toString()
    note({ grpc: headers[':path'], service })
    if (service === 'none') {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' }, { endStream: true })
      return
    }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, service === 'down' ? 2 : 1]))
  })
})
health.listen(19_000, '127.0.0.1')
