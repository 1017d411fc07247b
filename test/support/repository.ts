/** Real git repositories for tests, and real servers for them on loopback. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { dirname, join } from 'node:path'

const SOMEBODY = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'protocol.file.allow=always']
const ENV = { PATH: process.env.PATH, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' }

/** Runs git as a person does, in a directory; answers what it prints. */
export const gitIn = (directory: string, ...args: string[]): string =>
  execFileSync('git', [...SOMEBODY, ...args], { cwd: directory, env: ENV, encoding: 'utf8', stdio: 'pipe' }).trim()

/** A repository with a working tree and one branch, main. */
export class Repository {
  readonly path: string

  constructor(path: string) {
    this.path = path
    fs.mkdirSync(path, { recursive: true })
    gitIn(path, 'init', '--quiet', '--initial-branch=main')
    // A fetch by the name of any object, as a server of protocol version 2 allows it anyway.
    gitIn(path, 'config', 'uploadpack.allowAnySHA1InWant', 'true')
  }

  write(file: string, text: string | Buffer): void {
    fs.mkdirSync(dirname(join(this.path, file)), { recursive: true })
    fs.writeFileSync(join(this.path, file), text)
  }

  git(...args: string[]): string {
    return gitIn(this.path, ...args)
  }

  /** Commits files, and whatever else has changed; answers the commit. */
  commit(files: Record<string, string>, ...options: string[]): string {
    for (const [file, text] of Object.entries(files)) this.write(file, text)
    this.git('add', '--all')
    this.git('commit', '--quiet', '--allow-empty', '--message=change', ...options)
    return this.git('rev-parse', 'HEAD')
  }
}

/** A key for ssh, without a passphrase, in the directory; answers its file and its public half. */
export function makeKey(directory: string, name: string): { file: string; publicKey: string } {
  const file = join(directory, name)
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file])
  return { file, publicKey: fs.readFileSync(`${file}.pub`, 'utf8').split(' ').slice(0, 2).join(' ') }
}

/** Options of git that sign with a key of ssh. */
export const signingWith = (file: string): string[] => ['-c', 'gpg.format=ssh', '-c', `user.signingKey=${file}`]

export type Served = { url: string; requests: { path: string; authorization?: string }[]; close(): Promise<void> }

/**
 * git's own http-backend on a free port of loopback, for everything below `root`. With a token nobody else gets in;
 * with `tls` it is https.
 */
export async function serveHttp(
  root: string,
  options: { token?: string; tls?: { key: string; cert: string } } = {},
): Promise<Served> {
  const requests: Served['requests'] = []
  const handler: Parameters<typeof createServer>[1] = (request, response) => {
    const { authorization } = request.headers
    requests.push({ path: request.url ?? '', ...(authorization !== undefined && { authorization }) })
    const login = Buffer.from(authorization?.slice('Basic '.length) ?? '', 'base64').toString()
    if (options.token !== undefined && login.split(':')[1] !== options.token) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end('who are you?')
      return
    }
    const url = new URL(request.url ?? '', 'http://localhost')
    const child = spawn('git', ['http-backend'], {
      env: {
        ...ENV,
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: decodeURIComponent(url.pathname),
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method ?? '',
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        ...(request.headers['content-encoding'] && { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] }),
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
        REMOTE_ADDR: '127.0.0.1',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    request.pipe(child.stdin)
    child.stdin.on('error', () => undefined)
    const parts: Buffer[] = []
    child.stdout.on('data', (part: Buffer) => parts.push(part))
    child.on('close', () => answer(Buffer.concat(parts), response))
  }
  const server: Server =
    options.tls === undefined
      ? createServer(handler)
      : (createTlsServer(
          { key: fs.readFileSync(options.tls.key), cert: fs.readFileSync(options.tls.cert) },
          handler,
        ) as Server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://localhost:${port}`,
    requests,
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** What a CGI program prints: headers, an empty line, the body. */
function answer(output: Buffer, response: Parameters<NonNullable<Parameters<typeof createServer>[1]>>[1]): void {
  const end = output.indexOf('\r\n\r\n')
  const headers = output
    .toString('latin1', 0, Math.max(end, 0))
    .split('\r\n')
    .map(line => line.split(': ', 2) as [string, string])
  const status = headers.find(([name]) => name.toLowerCase() === 'status')?.[1] ?? '200'
  response.writeHead(Number(status.split(' ')[0]), Object.fromEntries(headers.filter(([name]) => name !== 'Status')))
  response.end(output.subarray(end + 4))
}

/** An ssh server on loopback that lets the owner of a key in; answers its URL, and its line for known_hosts. */
export async function serveSsh(directory: string, publicKey: string) {
  const port = freePort()
  const hostKey = join(directory, 'host_key')
  execFileSync('dropbearkey', ['-t', 'ed25519', '-f', hostKey], { stdio: 'ignore' })
  const told = execFileSync('dropbearkey', ['-y', '-f', hostKey], { encoding: 'utf8' })
  const [line = ''] = /^ssh-ed25519 \S+/m.exec(told) ?? []
  const script = join(import.meta.dirname, 'serve-ssh.sh')
  const child = spawn('unshare', ['--mount', script, hostKey, publicKey, String(port)], { stdio: 'ignore' })
  await listens(port)
  return { url: `ssh://root@127.0.0.1:${port}`, knownHost: `[127.0.0.1]:${port} ${line}\n`, close: () => ended(child) }
}

const freePort = (): number => 20_000 + Math.floor(Math.random() * 10_000)

/** Waits until somebody takes connections. */
async function listens(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const isUp = await new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.unref()
    })
    if (isUp) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`nobody listens on port ${port}`)
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise(resolve => {
    child.once('close', () => resolve())
    child.kill('SIGTERM')
  })

/** git daemon on a port of loopback, for everything below `root`. */
export async function serveDaemon(root: string): Promise<{ url: string; close(): Promise<void> }> {
  const port = freePort()
  const where = ['--listen=127.0.0.1', `--port=${port}`, `--base-path=${root}`, root]
  const child = spawn('git', ['daemon', '--export-all', '--reuseaddr', ...where], {
    env: ENV,
    stdio: 'ignore',
    detached: true,
  })
  await listens(port)
  return {
    url: `git://127.0.0.1:${port}`,
    close: () =>
      new Promise(resolve => {
        child.once('close', () => resolve())
        process.kill(-child.pid!, 'SIGTERM')
      }),
  }
}
