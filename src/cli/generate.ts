/** `tspod kube generate`: pods and volumes as Kubernetes YAML. */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { TspodError } from '../errors.ts'
import { VERSION } from '../version.ts'
import type { FlagTable, Problem } from './flags.ts'
import { systemReason } from './source.ts'
import { defineVerb, type Input, type World } from './verb.ts'

const FLAGS = {
  filename: { kind: 'text', short: 'f', value: 'FILE', help: 'write to this new file instead of standard output' },
  'no-trunc': { kind: 'switch', initial: false, hidden: true, help: 'without effect, as in Podman' },
  'podman-only': { kind: 'switch', initial: false, hidden: true, help: 'without effect: all annotations are kept' },
  replicas: { kind: 'text', short: 'r', value: 'NUMBER', help: 'replicas of the Deployment (default 1)' },
  service: { kind: 'switch', initial: false, short: 's', help: 'write a Service of type NodePort as well' },
  type: {
    kind: 'choice',
    short: 't',
    choices: ['pod', 'deployment', 'daemonset', 'job'],
    help: 'kind of object around each pod (default pod)',
  },
} as const satisfies FlagTable

type GenerateInput = Input<typeof FLAGS>

const COMMENT = `Made by tspod ${VERSION}: run it with tspod kube play, or in a cluster with kubectl create -f.`
/** Variables may hold a password. Podman's file is for everybody to read. */
const MODE = 0o600

export const generateVerb = defineVerb({
  operands: 'POD|VOLUME [POD|VOLUME...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Prints YAML that would make the pods and named volumes again: what their manifests said, with what flags and ' +
    '`tspod update` have changed since. Fields that have no effect on a single host are kept. ConfigMaps come with ' +
    'the pods that use them; Secrets are referred to by name, and their values are not printed.',
  examples: [
    { does: 'Write a pod to a file', line: 'tspod kube generate -f web.yaml web' },
    { does: 'A Deployment of three, with a Service', line: 'tspod kube generate -t deployment -r 3 -s web' },
    { does: 'A pod and its volume', line: 'tspod kube generate web data' },
  ],
  flags: FLAGS,
  check: flagProblems,
  async run(input, world) {
    const { flags, operands } = input
    const [{ generate, manifestText, volumeDocument }, engine] = await Promise.all([
      import('../kube/index.ts'),
      world.engine(),
    ])
    const type = flags.type ?? 'pod'
    const options = { type, replicas: replicasOf(input) ?? 1, service: flags.service }
    const found = await Promise.all(operands.map(name => engine.generated(name)))
    const volumes = found.flatMap(one =>
      one.kind === 'volume' ? [volumeDocument(one.name, one.labels, one.annotations)] : [],
    )
    const pods = found.flatMap(one => (one.kind === 'pod' ? [one.pod] : []))
    for (const { spec } of pods) refuseType(spec.name, spec.restartPolicy, type)
    const documents = [...volumes, ...pods.flatMap(pod => generate(pod, options))]
    const text = manifestText(distinct(documents), COMMENT)
    if (flags.filename === undefined) return { stdout: text }
    await writeNew(flags.filename, text, world)
    return {}
  },
})

/** Pods of one play share ConfigMaps and Services: each is written once. */
function distinct<Document extends object>(documents: readonly Document[]): Document[] {
  return [...new Map(documents.map(document => [JSON.stringify(document), document])).values()]
}

function flagProblems(input: GenerateInput): Problem[] {
  const { flags } = input
  const problems: Problem[] = []
  const replicas = replicasOf(input)
  if (replicas !== undefined && !(Number.isInteger(replicas) && replicas >= 1 && replicas <= 1000)) {
    problems.push({ message: `invalid argument "${flags.replicas}" for "-r, --replicas" flag: not from 1 to 1000` })
  }
  if (replicas !== undefined && replicas > 1 && flags.type !== 'deployment') {
    problems.push({ message: '--replicas can only be set when --type is set to deployment' })
  }
  return problems
}

const replicasOf = ({ flags }: GenerateInput): number | undefined =>
  flags.replicas === undefined ? undefined : Number(flags.replicas)

/** Kubernetes takes only one policy for the pods of a Deployment, and the others for those of a Job. */
function refuseType(pod: string, policy: string, type: string): void {
  const always = policy === 'Always'
  if (type === 'pod' || (type === 'job' ? !always : always)) return
  throw new TspodError('USAGE', `pod ${pod} has restartPolicy ${policy}, which a ${type} cannot have`, {
    remedy: always ? 'use --type deployment or daemonset' : 'use --type job',
  })
}

/** A file of the same name may be somebody's work: it is left alone. */
async function writeNew(name: string, text: string, { cwd }: World): Promise<void> {
  try {
    await writeFile(resolve(cwd, name), text, { flag: 'wx', mode: MODE })
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST'
    const why = exists ? 'file exists' : systemReason(cause)
    throw new TspodError('USAGE', `cannot write to "${name}"; ${why}`, { remedy: 'choose another file name', cause })
  }
}
