/** A real registry on loopback, with TLS by an authority of its own and one user. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

export type Registry = {
  /** `127.0.0.1:PORT` */
  host: string
  user: string
  password: string
  /** For `--cert-dir`. */
  certDir: string
  /** Pushes an OCI layout as `repository:tag`. */
  push(layout: string, name: string): void
  stop(): Promise<void>
}

const START_TRIES = 100

/** Starts docker-registry with everything it needs below the existing directory `dir`. */
export async function startRegistry(dir: string): Promise<Registry> {
  const port = await freePort()
  const host = `127.0.0.1:${port}`
  const certDir = join(dir, 'certs')
  makeCertificates(dir, certDir)
  const [user, password] = ['tester', 'right password']
  writeFileSync(join(dir, 'htpasswd'), execFileSync('htpasswd', ['-Bbn', user, password]))
  writeFileSync(join(dir, 'config.yml'), configuration(dir, host))
  const server = spawn('docker-registry', ['serve', join(dir, 'config.yml')], { stdio: 'ignore' })
  await untilItAnswers(host, certDir, server)
  return {
    host,
    user,
    password,
    certDir,
    push: (layout, name) => {
      const creds = ['--dest-creds', `${user}:${password}`, '--dest-cert-dir', certDir]
      execFileSync('skopeo', [
        '--insecure-policy',
        'copy',
        '-q',
        '--preserve-digests',
        ...creds,
        `oci:${layout}`,
        `docker://${host}/${name}`,
      ])
    },
    stop: async () => {
      const ended = new Promise(resolve => server.once('exit', resolve))
      server.kill()
      await ended
    },
  }
}

function configuration(dir: string, host: string): string {
  return `version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: ${join(dir, 'data')} } }
http: { addr: "${host}", tls: { certificate: ${join(dir, 'server.crt')}, key: ${join(dir, 'server.key')} } }
auth: { htpasswd: { realm: test, path: ${join(dir, 'htpasswd')} } }
`
}

function makeCertificates(dir: string, certDir: string): void {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' })
  const key = ['-newkey', 'rsa:2048', '-nodes']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=test authority')
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=127.0.0.1')
  writeFileSync(join(dir, 'san'), 'subjectAltName=IP:127.0.0.1')
  const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'san']
  openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.crt', ...signing)
  mkdirSync(certDir)
  cpSync(join(dir, 'ca.crt'), join(certDir, 'ca.crt'))
}

async function untilItAnswers(host: string, certDir: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < START_TRIES; tries++) {
    if (server.exitCode !== null) throw new Error(`docker-registry exited with code ${server.exitCode}`)
    try {
      execFileSync('openssl', ['s_client', '-connect', host, '-CAfile', join(certDir, 'ca.crt')], {
        input: '',
        stdio: 'pipe',
      })
      return
    } catch {
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  throw new Error(`docker-registry does not answer on ${host}`)
}

/** A TCP port of loopback that nobody uses at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
