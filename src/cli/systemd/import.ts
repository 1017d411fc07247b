/** `tspod systemd import`: Podman's Quadlet files of the kind `.kube` become manifests, options and drop-ins of ours. */
import { lstat, mkdir, readdir, readFile, readlink, rm, symlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { isMissing, TspodError } from '../../errors.ts'
import { writeAtomic } from '../../files.ts'
import { importKube, unitFileIssueText, unitOfName } from '../../systemd/index.ts'
import type { FlagTable } from '../flags.ts'
import { readSources, systemReason } from '../source.ts'
import { defineVerb, type Outcome, type World } from '../verb.ts'
import { type Place, placeOf, USER_FLAG } from './common.ts'
import { tellSystemd } from './install.ts'

const FLAGS = {
  ...USER_FLAG,
  copy: { kind: 'switch', initial: false, help: 'copy the manifest instead of linking to it' },
  'dry-run': { kind: 'switch', initial: false, help: 'print what would be written, and write nothing' },
  replace: { kind: 'switch', initial: false, help: 'replace what there is of the same names' },
} as const satisfies FlagTable

export const importVerb = defineVerb({
  operands: 'FILE.kube|DIR [FILE.kube|DIR...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    "Makes units of ours from Podman's Quadlet files: of NAME.kube a link /etc/tspod/kube/NAME.yaml to its manifest " +
    '(a copy, where there are several), options in NAME.conf, and a drop-in for what is in [Unit], [Service] and ' +
    '[Install]. Every key that is not kept is named. Nothing is enabled or started; the files that were written are ' +
    'printed. Disable the unit of Podman before you start ours.',
  examples: [
    { does: 'See what would come of it', line: 'tspod systemd import --dry-run /etc/containers/systemd/web.kube' },
    { does: 'All of them', line: 'tspod systemd import /etc/containers/systemd' },
  ],
  flags: FLAGS,
  anyUser: true,
  async run({ flags, operands }, world) {
    const place = placeOf(flags.user, world)
    const { files, others } = await kubeFiles(operands, world)
    const notes = others.map(file => `note: ${file} is not imported: only .kube files are manifests`)
    const products: Product[] = []
    for (const file of files) products.push(...(await productsOf(file, flags.copy, place, world, notes)))
    const stderr = notes.map(note => `${note}\n`).join('')
    if (flags['dry-run']) return { stdout: products.map(productText).join('\n'), stderr }
    if (!flags.replace) await refuseExisting(products)
    for (const product of products) await write(product)
    const touchesUnits = products.some(({ path }) => path.startsWith(place.unitFolder))
    const warning = touchesUnits ? await tellSystemd(place, world) : ''
    return outcome(products, `${stderr}${warning}`)
  },
})

const outcome = (products: readonly Product[], stderr: string): Outcome => ({
  stdout: products.map(({ path }) => `${path}\n`).join(''),
  stderr,
})

/** A file with a text, or a link. */
type Product = { path: string } & ({ text: string } | { target: string })

const productText = (product: Product): string =>
  'target' in product ? `# ${product.path} → ${product.target}\n` : `# ${product.path}\n${product.text}`

/** The `.kube` files that are meant, and what else lies in the folders. */
async function kubeFiles(operands: readonly string[], world: World): Promise<{ files: string[]; others: string[] }> {
  const files: string[] = []
  const others: string[] = []
  for (const operand of operands) {
    const path = resolve(world.cwd, operand)
    const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTDIR') return undefined
      throw new TspodError('MANIFEST_UNREADABLE', `open ${operand}: ${systemReason(error)}`, {
        remedy: 'check the path',
      })
    })
    if (entries === undefined && !path.endsWith('.kube')) {
      throw new TspodError('USAGE', `"${operand}" is no .kube file`, {
        remedy: 'other kinds of Quadlet are containers without a manifest: see `podman generate kube`',
      })
    }
    if (entries === undefined) files.push(path)
    for (const entry of (entries ?? [])
      .filter(each => !each.isDirectory())
      .map(({ name }) => name)
      .sort()) {
      if (entry.endsWith('.kube')) files.push(join(path, entry))
      else if (/\.(container|pod|network|volume|image|build|artifact)$/.test(entry)) others.push(join(path, entry))
    }
  }
  if (files.length > 0) return { files, others }
  throw new TspodError('NO_SUCH_OBJECT', `no .kube file in ${operands.join(', ')}`, { remedy: 'name one' })
}

/** What is to be written for one `.kube` file; what is not kept of it is added to `notes`. */
async function productsOf(
  file: string,
  copy: boolean,
  { folder, unitFolder }: Place,
  world: World,
  notes: string[],
): Promise<Product[]> {
  const { name, manifests, options, dropIn, issues } = importKube(await readFile(file, 'utf8'), file)
  if (issues.length > 0) notes.push(unitFileIssueText(issues))
  const [manifest] = manifests
  if (manifest === undefined) return []
  const unit = unitOfName(name, folder)
  const products: Product[] = [
    manifests.length === 1 && !copy
      ? { path: unit.manifest, target: manifest }
      : { path: unit.manifest, text: (await readSources(manifests, world)).map(({ text }) => text).join('\n---\n') },
  ]
  if (options !== '') products.push({ path: unit.options, text: options })
  if (dropIn !== '') products.push({ path: join(unitFolder, `${unit.unit}.d`, 'quadlet.conf'), text: dropIn })
  return products
}

/** Throws NAME_IN_USE for files that are there with another content. */
async function refuseExisting(products: readonly Product[]): Promise<void> {
  const taken: string[] = []
  for (const product of products) {
    const there = await contentOf(product.path)
    if (there !== undefined && there !== ('target' in product ? `→ ${product.target}` : product.text))
      taken.push(product.path)
  }
  if (taken.length === 0) return
  throw new TspodError('NAME_IN_USE', `there already: ${taken.join(', ')}`, {
    remedy: 'move it away, or run the same command with --replace',
  })
}

async function contentOf(path: string): Promise<string | undefined> {
  try {
    if ((await lstat(path)).isSymbolicLink()) return `→ ${await readlink(path)}`
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

async function write(product: Product): Promise<void> {
  await mkdir(dirname(product.path), { recursive: true, mode: 0o755 })
  if ('target' in product) {
    await rm(product.path, { force: true })
    await symlink(product.target, product.path)
  } else {
    // A manifest may hold secrets; a drop-in is for everyone to read, as units are.
    await writeAtomic(product.path, product.text, product.path.endsWith('/quadlet.conf') ? 0o644 : 0o600)
  }
}
