/** `tspod pod create`: pods that are made and not started, of a manifest or without containers. */
import { resolve } from 'node:path'
import { emptyPodSpec, PLAIN_OPTIONS, type PlayOptions } from '../../engine/index.ts'
import { TspodError } from '../../errors.ts'
import { writeAtomic } from '../../files.ts'
import type { Bundle } from '../../model.ts'
import type { FlagTable, Problem } from '../flags.ts'
import { MANIFEST_FLAGS, manifestFlagProblems, manifestOptions, wantsHostNetwork } from '../manifest-flags.ts'
import { printable } from '../output.ts'
import { progressLine } from '../progress.ts'
import { pullOptions, REGISTRY_FLAGS } from '../registry-flags.ts'
import { readSources, sourceProblems } from '../source.ts'
import { defineVerb, type Input, usageError, type World } from '../verb.ts'

const FLAGS = {
  name: { kind: 'text', value: 'NAME', short: 'n', help: 'an empty pod of that name, instead of those of a manifest' },
  hostname: { kind: 'text', value: 'NAME', help: 'host name of the empty pod (default: its name)' },
  label: { kind: 'list', value: 'KEY=VALUE', short: 'l', help: 'a label of the empty pod' },
  network: { kind: 'list', value: 'MODE|NAME[:OPTIONS]', help: 'host, none, bridge or the name of a network' },
  'pod-id-file': { kind: 'text', value: 'FILE', help: 'write the ids of the pods to this file' },
  replace: { kind: 'switch', initial: false, help: 'first remove a pod of the same name' },
  ...MANIFEST_FLAGS,
  ...REGISTRY_FLAGS,
} as const satisfies FlagTable

/** What Podman gives a pod by flags, since it has no manifest to read it from. */
const REFUSED = {
  'the manifest says it: write it there, and name the file':
    'add-host= device= dns= dns-option= dns-search= ip= ip6= mac-address= network-alias= no-hosts p|publish= ' +
    'security-opt= share= share-parent shm-size= sysctl= pid= uts= v|volume= volumes-from= exit-policy= restart=',
  'limits belong to the containers of a manifest: write them there':
    'c|cpu-shares= cpus= cpuset-cpus= cpuset-mems= m|memory= memory-swap= blkio-weight= blkio-weight-device= ' +
    'device-read-bps= device-write-bps=',
  'a pod has an infra container only where its manifest shares the process namespace':
    'infra infra-command= infra-conmon-pidfile= infra-image= infra-name=',
  'pods are placed below the unit that starts them: start tspod in the slice that should hold them': 'cgroup-parent=',
  'give each label with --label': 'label-file=',
}

type CreateInput = Input<typeof FLAGS>

export const podCreate = defineVerb({
  operands: '[FILE...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Makes the pods of manifests without starting them and prints their ids: `tspod pod start` starts them. With ' +
    '--name it makes one pod without containers, which holds namespaces and a network once it is started.',
  examples: [
    { does: 'Make now, start later', line: 'tspod pod create app.yaml; tspod pod start app' },
    { does: 'A pod without containers', line: 'tspod pod create --name empty --label app=test' },
  ],
  flags: FLAGS,
  refused: REFUSED,
  check: input => (input.operands.length === 0 ? emptyProblems(input) : fileProblems(input)),
  async run(input, world) {
    const problems: Problem[] = []
    const pull = await pullOptions(input.flags, world, problems)
    if (problems.length > 0) throw usageError(problems, 'tspod pod create')
    const engine = await world.engine()
    const bundle = input.operands.length === 0 ? await emptyBundle(input) : await manifestBundle(input, world)
    const progress = progressLine(world.err, input.flags.quiet)
    try {
      const report = await engine.play(
        bundle,
        { ...PLAIN_OPTIONS, start: false, ...wishes(input), pull },
        progress.show,
        world.signal,
      )
      const ids = report.pods.map(({ id }) => `${id}\n`).join('')
      const file = input.flags['pod-id-file']
      if (file !== undefined) await writeAtomic(resolve(world.cwd, file), ids, 0o644)
      return { stdout: ids }
    } finally {
      progress.finish()
    }
  },
})

function emptyProblems({ flags }: CreateInput): Problem[] {
  if (flags.name === undefined) return [{ message: 'name a manifest, or give an empty pod a --name' }]
  const set = (Object.keys(MANIFEST_FLAGS) as (keyof typeof MANIFEST_FLAGS)[]).filter(name => isSet(flags[name]))
  const useless = set.map(name => ({ message: `--${name} is for pods of a manifest`, remedy: 'name the manifest' }))
  const wrong = flags.label
    .filter(text => !/^[^=]+=/.test(text))
    .map(text => ({ message: `label "${text}" must be in the form KEY=VALUE` }))
  return [...useless, ...wrong]
}

const isSet = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : Boolean(value))

function fileProblems({ flags, operands }: CreateInput): Problem[] {
  const alone = flags.name !== undefined || flags.hostname !== undefined || flags.label.length > 0
  const wrong = alone ? [{ message: '--name, --hostname and --label are for a pod without a manifest' }] : []
  return [...sourceProblems(operands), ...manifestFlagProblems(flags), ...wrong]
}

const wishes = ({ flags }: CreateInput): Pick<PlayOptions, 'replace' | 'networks' | 'runtime'> => ({
  replace: flags.replace,
  networks: flags.network,
  ...(flags.runtime !== undefined && { runtime: flags.runtime }),
})

async function emptyBundle({ flags }: CreateInput): Promise<Bundle> {
  const { subdomainProblem } = await import('../../kube/index.ts')
  const { name = '', hostname } = flags
  const wrong = subdomainProblem(name)
  if (wrong !== undefined)
    throw new TspodError('USAGE', `pod name "${name}": ${wrong}`, { remedy: 'for example --name web' })
  const labels = Object.fromEntries(flags.label.map(text => text.split(/=(.*)/s).slice(0, 2)))
  const spec = { ...emptyPodSpec(name, 'pod create'), labels, ...(hostname !== undefined && { hostname }) }
  return { pods: [spec], manifests: {}, workloads: [], secrets: [], claims: [], configMaps: [] }
}

async function manifestBundle({ flags, operands }: CreateInput, world: World): Promise<Bundle> {
  const [sources, manifest, { translate }, engine] = await Promise.all([
    readSources(operands, world),
    manifestOptions(flags, world),
    import('../../kube/index.ts'),
    world.engine(),
  ])
  const { bundle, notes } = translate(sources, {
    ...manifest,
    storedSecret: await engine.storedSecrets(),
    hostNetwork: wantsHostNetwork(flags.network),
  })
  if (!flags.quiet) world.err.write(notes.map(note => `note: ${printable(note)}\n`).join(''))
  return bundle
}
