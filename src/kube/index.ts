/**
 * Kubernetes YAML → what tspod plays, or every mistake in it at once. Pure: nothing here reads a file, a clock or
 * the host.
 *
 *   text ─► read (YAML, limits) ─► documents (kinds) ─► check (schema, verdicts) ─► workload ─► pod ─► sections
 */
import { TspodError } from '../errors.ts'
import { firstPods, NUMBER_MARK } from '../job.ts'
import { type Bundle, servingContainers } from '../model.ts'
import { type ConfigData, type ConfigStore, readClaim, readConfigMap, readSecret, secretData } from './config/index.ts'
import { applyDependencies } from './depends-on.ts'
import { type KindDocument, readKinds, sortKinds } from './documents.ts'
import { readAnnotations, readLabels, readName } from './metadata.ts'
import { readObject } from './objects.ts'
import { checkHostPorts, type PodContext, parsePublish, portsClash, publishPorts, type ReadPod } from './pod/index.ts'
import { checkPodSecurity, namespacePolicies, type Policy } from './pod-security/index.ts'
import { checkField } from './schema/index.ts'
import { applyServices, isReplicated, makesPods, readService, readWorkload, type Service } from './workload/index.ts'
import { plainContent, podManifest } from './write/index.ts'
import {
  collecting,
  emptyRecord,
  type Field,
  type FieldValidation,
  Issues,
  type Mistake,
  mistakesOf,
  Notes,
  quote,
  renderIssues,
  SourceFile,
  type TreeMemory,
} from './yaml/index.ts'

export { parseAnnotations } from './flags.ts'
export { namesIn } from './names-in.ts'
export { expandEnv, expandText, expandWords, findInEnvFile, runtimeValue, usernsAnnotation } from './pod/index.ts'
export type { Level, Mode, Policy } from './pod-security/index.ts'
export { type ExplainOptions, explain, listKinds, support } from './schema/index.ts'
export { unfilled } from './unfilled.ts'
export { type Filled, fillIn, type Variables } from './variables.ts'
export {
  type GenerateOptions,
  generate,
  manifestText,
  type PlayedManifest,
  renderBundle,
  volumeDocument,
} from './write/index.ts'
export type { FieldValidation, Mistake } from './yaml/index.ts'
export { rememberTrees, subdomainProblem } from './yaml/index.ts'

/** Where the kubelet and Podman look for profiles of seccomp. */
const SECCOMP_ROOT = '/var/lib/kubelet/seccomp'

/** One input: `file` is what messages call it, `-` for standard input, the URL for a URL. */
export type SourceText = { file: string; text: string }

/** What flags and surroundings add to the sources; what is absent adds nothing. */
export type TranslateOptions = {
  /** Absolute directory that relative hostPaths begin at. */
  baseDirectory: string
  /** Files of --configmap: ConfigMap documents only. */
  configMaps?: readonly SourceText[]
  /** Of --annotation, checked by `parseAnnotations`: added to pods and claims. */
  annotations?: Record<string, string>
  /** Of --publish, as given. */
  publish?: readonly string[]
  publishAll?: boolean
  noHosts?: boolean
  /** Fields that are understood and do nothing yet are noted and kept, instead of refused. */
  allowUnsupported?: boolean
  /** Absolute directory of the profiles of seccomp; absent: the kubelet's. */
  seccompRoot?: string
  /** Kernel parameters that are allowed although they are not safe; `net.core.*` stands for many. */
  unsafeSysctls?: readonly string[]
  /** Secrets of earlier plays: key → base64. */
  storedSecret?: (name: string) => Record<string, string> | undefined
  /** Of --validate: strict where it is missing. */
  fieldValidation?: FieldValidation
  /** Of --pod-security, for all pods; the labels of Namespace documents count besides. */
  podSecurity?: Policy
  /** A flag puts all pods into the network of the host. */
  hostNetwork?: boolean
  /** What is known of sources that were read before. */
  memory?: TreeMemory
}

/** `notes`: one line for each field that was accepted and has no effect. */
export type Translation = { bundle: Bundle; notes: string[] }

/**
 * Translates all documents of all sources. Throws MANIFEST_INVALID with every mistake in `details`, or USAGE for a
 * bad --publish.
 */
export function translate(sources: readonly SourceText[], options: TranslateOptions): Translation {
  const { publish = [], publishAll = false } = options
  const published = parsePublish(publish)
  const { issues, notes, files, pods, bundle } = read(sources, options)
  if (issues.list.length > 0) throw invalid(issues, files)
  const publishNotes = publishPorts(bundle.pods, published, publishAll)
  if (published.length > 0 || publishAll) checkPublished(pods)
  return { bundle: withFirstPods(bundle), notes: [...notes.lines(), ...publishNotes] }
}

/** `mistakes` in the order of files and places, and the same as text for people. */
export type Examined = { notes: string[]; mistakes: Mistake[]; text: string }

/** Finds what `translate` would complain about. Throws nothing that is the manifest's doing. */
export function examine(sources: readonly SourceText[], options: TranslateOptions): Examined {
  const { issues, notes, files } = read(sources, options)
  return { notes: notes.lines(), mistakes: mistakesOf(issues.list, files), text: renderIssues(issues.list, files) }
}

type Read = { issues: Issues; notes: Notes; files: SourceFile[]; pods: ReadPod[]; bundle: Bundle }

function read(sources: readonly SourceText[], options: TranslateOptions): Read {
  const notes = new Notes()
  const issues = new Issues(options.fieldValidation, text => notes.say(text))
  const files = sources.map(({ file, text }) => new SourceFile(file, text))
  const configFiles = (options.configMaps ?? []).map(({ file, text }) => new SourceFile(file, text))
  const reader = new BundleReader(options)
  const pods = collecting(issues, () => {
    const documents = readKinds(files, issues, notes, options)
    reader.readConfigFiles(readKinds(configFiles, issues, notes), documents)
    const read = reader.read(documents, issues)
    if (issues.list.length === 0) checkSomething(documents, issues, files[0])
    return read
  })
  return { issues, notes, files: [...files, ...configFiles], pods, bundle: reader.bundle }
}

/** Only when nothing changes the template of a Job any more are its pods made from it. */
function withFirstPods(bundle: Bundle): Bundle {
  const jobs = new Map(bundle.jobs?.map(job => [job.template, job]))
  const manifests = { ...bundle.manifests }
  const pods = bundle.pods.flatMap(pod => {
    const job = jobs.get(pod)
    if (job === undefined) return pod
    const manifest = manifests[pod.name]
    delete manifests[pod.name]
    const first = firstPods(job)
    for (const { name } of first) if (manifest !== undefined) manifests[name] = manifest
    return first
  })
  return { ...bundle, pods, manifests }
}

/** Gathers the bundle; data documents first, because pods refer to them wherever they stand. */
class BundleReader {
  readonly bundle: Bundle = {
    pods: [],
    manifests: emptyRecord(),
    workloads: [],
    secrets: [],
    claims: [],
    configMaps: [],
    objects: [],
  }
  readonly #options: TranslateOptions
  readonly #configMaps = new Map<string, ConfigData>()
  readonly #secrets = new Map<string, ConfigData>()
  readonly #names = new Map<string, Field>()
  readonly #services: Service[] = []
  #incomplete = false

  constructor(options: TranslateOptions) {
    this.#options = options
  }

  /** Documents of --configmap: they must not be in the manifest as well. */
  readConfigFiles(extra: readonly KindDocument[], main: readonly KindDocument[]): void {
    const names = new Set(
      main.filter(({ kind }) => kind === 'ConfigMap').map(({ field }) => field.at('metadata').at('name').string()),
    )
    for (const document of extra) {
      const { kind, field } = document
      const name = field.at('metadata').at('name')
      if (kind !== 'ConfigMap') {
        field
          .at('kind')
          .issue(
            'UNSUPPORTED_VALUE',
            `invalid YAML kind: ${quote(kind)}`,
            'only ConfigMaps are read from the files of --configmap',
          )
      } else if (names.has(name.string())) {
        const { file } = field.context.source
        name.issue(
          'DUPLICATE',
          `ambiguous configuration: the same config map ${name.string()} is present in YAML and in --configmaps ${file} file`,
          'remove one of them',
        )
      } else this.#readData(document)
    }
  }

  /** Reads the documents of the manifest; returns the pods with the places of their ports. */
  read(documents: readonly KindDocument[], issues: Issues): ReadPod[] {
    if (issues.list.length > 0) this.#incomplete = true
    const { played, complete } = sortKinds(documents)
    if (!complete) this.#incomplete = true
    for (const document of played) if (!makesPods(document.kind)) this.#readData(document)
    const { storedSecret = () => undefined, baseDirectory, annotations = {}, noHosts = false } = this.#options
    const store: ConfigStore = {
      configMaps: this.#configMaps,
      secrets: this.#secrets,
      storedSecret,
      incomplete: this.#incomplete,
    }
    const context: PodContext = {
      store,
      baseDirectory,
      annotations,
      noHosts,
      seccompRoot: this.#options.seccompRoot ?? SECCOMP_ROOT,
      unsafeSysctls: this.#options.unsafeSysctls ?? [],
    }
    const pods = played.flatMap(({ kind, field }) => {
      if (!makesPods(kind)) return []
      checkField(field, kind)
      const { pods: read, claims, job, rollout } = readWorkload(kind, field, context)
      if (job !== undefined) this.bundle.jobs = [...(this.bundle.jobs ?? []), job]
      const name = readName(field)
      if (isReplicated(kind)) this.bundle.workloads.push({ kind, name })
      this.bundle.objects?.push({ ...readObject(kind, name, field), ...(rollout && { rollout }) })
      for (const pod of read) this.#claimName('pod', pod.spec.name.replace(NUMBER_MARK, ''), field)
      const known = new Set(this.bundle.claims.map(claim => claim.name))
      this.bundle.claims.push(...claims.filter(claim => !known.has(claim.name)))
      return read
    })
    applyServices(this.#services, pods)
    applyDependencies(pods, this.bundle.jobs ?? [], this.#incomplete)
    checkHostPorts(pods.flatMap(pod => pod.ports))
    this.#checkPodSecurity(documents, pods)
    const services = this.#services.map(({ field }) => field)
    for (const { spec, source, pullAuths } of pods) {
      if (pullAuths !== undefined) this.bundle.pullAuths = { ...this.bundle.pullAuths, [spec.name]: pullAuths }
      this.bundle.pods.push(spec)
      this.bundle.manifests[spec.name] = podManifest(source, this.#configMaps, services)
    }
    return pods
  }

  #checkPodSecurity(documents: readonly KindDocument[], pods: readonly ReadPod[]): void {
    const { podSecurity, hostNetwork = false, publish = [], publishAll = false } = this.#options
    const namespaces = documents.filter(({ kind }) => kind === 'Namespace').map(({ field }) => field)
    const labelled = namespacePolicies(namespaces)
    const flags = { hostNetwork, publish: publish.length > 0, publishAll }
    for (const pod of pods) {
      const own = labelled.get(pod.spec.namespace) ?? []
      checkPodSecurity(pod, podSecurity === undefined ? own : [podSecurity, ...own], flags)
    }
  }

  #readData(document: KindDocument): void {
    const { kind, field } = document
    checkField(field, kind)
    const name = readName(field)
    const metadata = field.at('metadata')
    readLabels(metadata.at('labels'))
    const annotations = readAnnotations(
      metadata,
      kind === 'PersistentVolumeClaim' ? (this.#options.annotations ?? {}) : {},
    )
    this.#claimName(kind, name, field)
    if (name === '') this.#incomplete = true
    const isContent = kind === 'ConfigMap' || kind === 'Service'
    this.bundle.objects?.push(readObject(kind, name, field, isContent ? plainContent(field, kind) : undefined))
    if (kind === 'ConfigMap') {
      this.#configMaps.set(name, readConfigMap(field))
      this.bundle.configMaps.push(name)
    } else if (kind === 'Secret') {
      const secret = readSecret(field)
      this.#secrets.set(name, secretData(secret.data))
      this.bundle.secrets.push(secret)
    } else if (kind === 'Service') this.#services.push(readService(field))
    else this.bundle.claims.push(readClaim(field, annotations, this.#options.baseDirectory))
  }

  #claimName(kind: string, name: string, field: Field): void {
    if (name === '') return
    const key = `${kind} ${name}`
    const before = this.#names.get(key)
    if (before !== undefined) {
      const { file, line } = before.place
      field
        .at('metadata')
        .at('name')
        .issue('DUPLICATE', `another document makes the ${kind} ${quote(name)}: ${file}:${line}`, 'choose another name')
    } else this.#names.set(key, field)
  }
}

/** A manifest without anything to play is a mistake, as it is for Podman. */
function checkSomething(documents: readonly KindDocument[], issues: Issues, source: SourceFile | undefined): void {
  const [first] = documents
  if (first === undefined) {
    if (source === undefined) return
    issues.add({
      code: 'REQUIRED',
      source,
      span: { start: 0, end: 1 },
      path: '',
      message: 'YAML document does not contain any supported kube kind',
      remedy: 'add a Pod, a Deployment, a Secret or a PersistentVolumeClaim',
    })
  } else if (documents.every(({ kind }) => kind === 'ConfigMap')) {
    first.field
      .at('kind')
      .issue('REQUIRED', 'ConfigMaps are not a standalone object: nothing here uses them', 'add a Pod or a Deployment')
  }
}

/** After the flags: a clash is no longer at one place of the manifest. */
function checkPublished(pods: readonly ReadPod[]): void {
  const ports = pods.flatMap(({ spec }) =>
    servingContainers(spec).flatMap(container => container.ports.map(port => ({ port, pod: spec.name }))),
  )
  for (const [index, a] of ports.entries()) {
    const b =
      a.port.hostPort === undefined ? undefined : ports.slice(index + 1).find(other => portsClash(a.port, other.port))
    if (b === undefined) continue
    throw new TspodError(
      'USAGE',
      `host port ${a.port.hostPort}/${a.port.protocol} is wanted by ${a.pod} and by ${b.pod}`,
      {
        remedy: 'choose other ports with --publish, or leave out --publish-all',
      },
    )
  }
}

function invalid(issues: Issues, sources: readonly SourceFile[]): TspodError {
  const count = issues.list.length
  const files = [...new Set(issues.list.map(issue => issue.source.file))]
  const where = files.length > 1 ? `${files.length} files` : (files[0] ?? '')
  return new TspodError('MANIFEST_INVALID', `${count} ${count === 1 ? 'error' : 'errors'} in ${where}`, {
    remedy: 'correct the manifest; nothing was created',
    details: renderIssues(issues.list, sources),
  })
}
