/**
 * Images made from nothing but busybox-static, for `make play` and for tests: no registry, no network.
 * The same input always gives the same digest, since every time stamp is zero.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What goes into the layer at one absolute path. Owner and group are root and modes 0644 or 0755 unless given. */
export type ImageFile =
  | { content: string | Uint8Array; mode?: number; uid?: number; gid?: number }
  | { link: string }
  | { directory: true; mode?: number; uid?: number; gid?: number }

/** The `config` of an OCI image, with the names of the image specification. */
export type ImageRunConfig = {
  Entrypoint?: string[]
  Cmd?: string[]
  Env?: string[]
  WorkingDir?: string
  User?: string
  Volumes?: Record<string, Record<string, never>>
  ExposedPorts?: Record<string, Record<string, never>>
  Labels?: Record<string, string>
  StopSignal?: string
}

export type ImageInput = {
  config?: ImageRunConfig
  /** On top of (and instead of parts of) the busybox files; keys are absolute paths. */
  files?: Record<string, ImageFile>
  /** Without busybox and /etc: only `files`. */
  bare?: boolean
}

/** A store other than the host's own. */
export type ImageStore = { driver: string; graphRoot: string; runRoot: string }

const BUSYBOX = '/bin/busybox'
const PAGE = '<!doctype html>\n<title>tspod</title>\n<h1>Hello from a pod</h1>\n'
const OCI = 'application/vnd.oci.image'

/**
 * Makes an image and puts it into containers-storage under `name` (`localhost/thing:tag`); returns its digest.
 * The default image has a shell, the busybox programs, users `root` and `app` (1000), and /www/index.html;
 * no entrypoint; its command is `sh`.
 */
export function buildImage(name: string, input: ImageInput = {}, store?: ImageStore): string {
  const layout = mkdtempSync(join(tmpdir(), 'tspod-image-'))
  try {
    const digest = writeImageLayout(layout, input)
    const where = store === undefined ? '' : `[${store.driver}@${store.graphRoot}+${store.runRoot}]`
    // Made here a moment ago: there is nothing a signature policy could say about it.
    const args = ['--insecure-policy', 'copy', '--quiet', `oci:${layout}`, `containers-storage:${where}${name}`]
    execFileSync('skopeo', args, { stdio: ['ignore', 'ignore', 'inherit'] })
    return digest
  } finally {
    rmSync(layout, { recursive: true, force: true })
  }
}

/** Writes the image as an OCI layout into the existing directory `layout`; returns the manifest's digest. */
export function writeImageLayout(layout: string, input: ImageInput = {}): string {
  mkdirSync(join(layout, 'blobs', 'sha256'), { recursive: true })
  const blob = (mediaType: string, data: Uint8Array) => {
    const hex = createHash('sha256').update(data).digest('hex')
    writeFileSync(join(layout, 'blobs', 'sha256', hex), data)
    return { mediaType, digest: `sha256:${hex}`, size: data.length }
  }
  const json = (mediaType: string, value: object) => blob(mediaType, Buffer.from(JSON.stringify(value)))

  const layer = blob(`${OCI}.layer.v1.tar`, tar({ ...(input.bare ? {} : busyboxFiles()), ...input.files }))
  const config = json(`${OCI}.config.v1+json`, {
    created: '1970-01-01T00:00:00Z',
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Cmd: ['sh'], Env: ['PATH=/bin'], WorkingDir: '/', ...input.config },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'tspod test/support/image.ts' }],
  })
  const manifest = json(`${OCI}.manifest.v1+json`, {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config,
    layers: [layer],
  })
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }))
  return manifest.digest
}

/** Copies the host's static busybox to `target`, for root file systems that are plain directories. */
export function copyBusybox(target: string): void {
  copyFileSync(BUSYBOX, target)
}

function busyboxFiles(): Record<string, ImageFile> {
  const applets = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n')
  const links = applets.filter(name => name !== 'busybox').map(name => [`/bin/${name}`, { link: 'busybox' }] as const)
  return {
    '/bin': { directory: true },
    '/bin/busybox': { content: readFileSync(BUSYBOX), mode: 0o755 },
    ...Object.fromEntries(links),
    '/etc': { directory: true },
    '/etc/passwd': { content: 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n' },
    '/etc/group': { content: 'root:x:0:\napp:x:1000:\n' },
    '/home': { directory: true },
    '/home/app': { directory: true, uid: 1000, gid: 1000 },
    '/root': { directory: true, mode: 0o700 },
    '/tmp': { directory: true, mode: 0o1777 },
    '/www': { directory: true },
    '/www/index.html': { content: PAGE },
  }
}

/** A ustar archive of `files`, parents before children. */
function tar(files: Record<string, ImageFile>): Buffer {
  const parts: Buffer[] = []
  for (const path of Object.keys(files).sort()) {
    const file = files[path]!
    const content = 'content' in file ? Buffer.from(file.content) : Buffer.alloc(0)
    parts.push(tarHeader(path.replace(/^\/+/, ''), file, content.length), content, zeros(-content.length & 511))
  }
  return Buffer.concat([...parts, zeros(1024)])
}

function tarHeader(path: string, file: ImageFile, size: number): Buffer {
  const isDirectory = 'directory' in file
  const owner: { mode?: number; uid?: number; gid?: number } = 'link' in file ? {} : file
  const mode = owner.mode ?? ('content' in file ? 0o644 : 0o755)
  const header = zeros(512)
  const put = (text: string, at: number, room: number): void => {
    if (Buffer.byteLength(text) > room) throw new Error(`${text} does not fit into ${room} bytes of a tar header`)
    header.write(text, at)
  }
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0')
  put(isDirectory ? `${path}/` : path, 0, 100)
  put(octal(mode, 7), 100, 7)
  put(octal(owner.uid ?? 0, 7), 108, 7)
  put(octal(owner.gid ?? 0, 7), 116, 7)
  put(octal(size, 11), 124, 11)
  put(octal(0, 11), 136, 11)
  put(' '.repeat(8), 148, 8)
  put(isDirectory ? '5' : 'link' in file ? '2' : '0', 156, 1)
  put('link' in file ? file.link : '', 157, 100)
  put('ustar', 257, 6)
  put('00', 263, 2)
  const sum = header.reduce((total, byte) => total + byte, 0)
  put(`${octal(sum, 6)}\0 `, 148, 8)
  return header
}

const zeros = (count: number): Buffer => Buffer.alloc(count)
