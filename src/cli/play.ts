/** `tspod kube play`: Kubernetes YAML becomes running pods. */

import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { sha256 } from '../digest.ts'
import type { PlayOptions, Progress, ServiceOptions } from '../engine/index.ts'
import { announcer } from './announce.ts'
import { takeDown } from './down.ts'
import type { FlagTable, Problem } from './flags.ts'
import { MANIFEST_FLAGS, manifestFlagProblems, manifestOptions, wantsHostNetwork } from './manifest-flags.ts'
import { printable } from './output.ts'
import { playOutcome } from './play-report.ts'
import { stay, waitAndClean } from './play-wait.ts'
import { progressLine } from './progress.ts'
import { pullOptions, REGISTRY_FLAGS } from './registry-flags.ts'
import { readSources, type Source, sourceProblems } from './source.ts'
import { defineVerb, type Input, type Outcome, usageError, type World } from './verb.ts'

const FLAGS = {
  ...MANIFEST_FLAGS,
  build: {
    kind: 'tristate',
    help: 'build each image that a directory of its name has a Containerfile for; --build=false builds none; without it those that are missing are built',
  },
  'context-dir': {
    kind: 'text',
    value: 'DIR',
    help: 'with --build: where those directories are (default: the current one)',
  },
  down: { kind: 'switch', initial: false, help: 'the same as `tspod kube down`' },
  force: { kind: 'switch', initial: false, help: 'with --down: remove the named volumes too' },
  ip: { kind: 'list', value: 'ADDRESS', help: 'address of a pod; the n-th one is for the n-th pod' },
  'log-driver': {
    kind: 'choice',
    choices: ['k8s-file', 'json-file', 'journald', 'none', 'passthrough'],
    help: 'where what the containers print is kept (default k8s-file)',
  },
  'log-opt': { kind: 'list', value: 'KEY=VALUE', help: 'option of the log driver: path, max-size' },
  'mac-address': { kind: 'list', value: 'MAC', help: 'MAC address of a pod; the n-th one is for the n-th pod' },
  network: {
    kind: 'list',
    value: 'MODE|NAME[:OPTIONS]',
    help: 'host, none, bridge or the name of a network; replaces what the manifest says',
  },
  'no-hostname': { kind: 'switch', initial: false, help: 'leave /etc/hostname as the image has it' },
  'no-hosts': { kind: 'switch', initial: false, help: 'leave /etc/hosts as the image has it' },
  'no-pod-prefix': { kind: 'switch', initial: false, help: 'name containers NAME instead of POD-NAME' },
  'no-trunc': { kind: 'switch', initial: false, hidden: true, help: 'without effect, as in Podman' },
  publish: {
    kind: 'list',
    value: '[[IP:]HOST:]CONTAINER[/PROTOCOL]',
    comma: true,
    help: "publish a port, on top of or instead of the manifest's hostPort",
  },
  'publish-all': { kind: 'switch', initial: false, help: 'publish each containerPort, on the same port of this host' },
  replace: { kind: 'switch', initial: false, help: 'first take down what is there of the same manifest' },
  'service-container': {
    kind: 'switch',
    initial: false,
    hidden: true,
    help: 'start a service container, which stands for all the pods of the play',
  },
  'service-exit-code-propagation': {
    kind: 'text',
    value: 'none|all|any',
    hidden: true,
    help: 'when the service container fails: never, when all containers failed, when any did',
  },
  start: { kind: 'switch', initial: true, help: 'start the pods; --start=false only creates them' },
  wait: {
    kind: 'switch',
    initial: false,
    short: 'w',
    help: 'wait until the pods have ended, or for ctrl-c; then remove them, volumes too, and end with their exit code',
  },
  userns: {
    kind: 'text',
    value: 'MODE',
    help: 'user namespace of the pods: host, auto[:size=N,uidmapping=C:H:N,gidmapping=C:H:N] or ns:PATH',
  },
  ...REGISTRY_FLAGS,
} as const satisfies FlagTable

type PlayInput = Input<typeof FLAGS>

export const play = defineVerb({
  operands: 'FILE [FILE...]|URL|-',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Creates the volumes, secrets and pods of one or more manifests and starts the pods. Everything wrong in the ' +
    'manifests is reported at once, with its place, before anything is created. Manifests are files, an http or https ' +
    'URL, or - for standard input; several files count as one manifest.\n' +
    'Printed are the names and ids of what was created; progress and warnings go to standard error. ' +
    'When containers fail to start the exit code is 125.',
  examples: [
    { does: 'Run what a file describes', line: 'tspod kube play app.yaml' },
    { does: 'Run it again after a change', line: 'tspod kube play --replace app.yaml' },
    { does: 'Read from another program', line: 'kustomize build . | tspod kube play -' },
    {
      does: 'Configuration apart, and a port of this host',
      line: 'tspod kube play --configmap cfg.yaml --publish 8080:80 app.yaml',
    },
    { does: 'Create now, start never', line: 'tspod kube play --start=false app.yaml' },
    { does: 'Stay until it is done, and leave nothing', line: 'tspod kube play --wait job.yaml' },
  ],
  flags: FLAGS,
  check: flagProblems,
  async run(input, world) {
    const problems: Problem[] = []
    const pull = await pullOptions(input.flags, world, problems)
    if (problems.length > 0) throw usageError(problems, 'tspod kube play')
    if (input.flags.down) return takeDown(input.operands, { force: input.flags.force }, world)
    return playSources(input, playOptions(input, pull, world.cwd), world)
  },
})

async function playSources(input: PlayInput, options: PlayOptions, world: World): Promise<Outcome> {
  const { flags } = input
  const [sources, manifest, { translate, usernsAnnotation }, engine] = await Promise.all([
    readSources(input.operands, world),
    manifestOptions(flags, world),
    import('../kube/index.ts'),
    world.engine(),
  ])
  const { bundle, notes } = translate(sources, {
    ...manifest,
    annotations: { ...manifest.annotations, ...usernsAnnotation(flags.userns) },
    publish: flags.publish,
    publishAll: flags['publish-all'],
    noHosts: flags['no-hosts'],
    storedSecret: await engine.storedSecrets(),
    hostNetwork: wantsHostNetwork(flags.network),
  })
  if (!flags.quiet) world.err.write(notes.map(note => `note: ${printable(note)}\n`).join(''))
  const service = flags['service-container'] || flags.wait ? await serviceOptions(input, sources) : undefined
  const notifier = service && (await world.notifier())
  const announced = notifier && announcer(notifier, world.clock)
  const progress = progressLine(world.err, flags.quiet)
  const onAbort = (): void =>
    progress.show({ object: '', text: 'interrupted: undoing what was begun; interrupt again to leave at once' })
  world.signal.addEventListener('abort', onAbort, { once: true })
  try {
    const whole = { ...options, ...(service && { service }) }
    const show: Progress = event => {
      progress.show(event)
      announced?.fetching(event)
    }
    const report = await engine.play(bundle, whole, show, world.signal, announced?.watch)
    progress.finish()
    world.signal.removeEventListener('abort', onAbort)
    // Who waits stands for the service himself: he has to clean up after it.
    const stands = flags.wait || report.resident || report.main === 'ended'
    announced?.up(stands && report.main !== undefined ? process.pid : report.main)
    if (flags.wait) return await waitAndClean(sources, report, engine, world)
    const outcome = playOutcome(report)
    if (report.resident) {
      // Ids are for whoever asked, not for a journal.
      if (announced === undefined) world.out.write(outcome.stdout ?? '')
      world.err.write(outcome.stderr ?? '')
      return await stay(report, engine, world)
    }
    return announced === undefined
      ? outcome
      : { ...outcome, exitCode: await announced.exitCode(report, engine, outcome) }
  } catch (error) {
    announced?.failed(error)
    throw error
  } finally {
    progress.finish()
    await announced?.finish()
  }
}

/** The service's name is told by the manifest's text alone, as in Podman: whoever has the file finds the service. */
async function serviceOptions({ flags }: PlayInput, sources: readonly Source[]): Promise<ServiceOptions> {
  const text = sources.map(source => source.text).join('\n---\n')
  const digest = sha256(text)
  const propagation = (flags['service-exit-code-propagation'] || 'none') as ServiceOptions['propagation']
  return { name: `${digest.slice(0, 12)}-service`, propagation }
}

function playOptions({ flags }: PlayInput, pull: PlayOptions['pull'], cwd: string): PlayOptions {
  const root = resolve(cwd, flags['context-dir'] ?? '.')
  return {
    ...(flags.build === false ? {} : { build: { root, always: flags.build === true } }),
    replace: flags.replace,
    start: flags.start,
    networks: flags.network,
    ips: flags.ip,
    macs: flags['mac-address'],
    logOptions: flags['log-opt'],
    noHosts: flags['no-hosts'],
    noHostname: flags['no-hostname'],
    noPodPrefix: flags['no-pod-prefix'],
    pull,
    ...(flags['log-driver'] === undefined ? {} : { logDriver: flags['log-driver'] }),
    ...(flags.runtime === undefined ? {} : { runtime: flags.runtime }),
  }
}

/** Everything wrong with the flags that can be told before a manifest is read. Wording as Podman's. */
function flagProblems({ flags, operands }: PlayInput): Problem[] {
  const problems = [...sourceProblems(operands), ...manifestFlagProblems(flags)]
  const refuse = (message: string, remedy?: string): void => {
    problems.push(remedy === undefined ? { message } : { message, remedy })
  }
  if (flags.force && !flags.down) refuse('--force may be specified only with --down')
  for (const text of flags['log-opt']) {
    if (!text.includes('=')) refuse(`log option "${text}" must include an '=' sign`)
  }
  for (const text of flags.ip) {
    if (isIP(text) === 0) refuse(`invalid argument "${text}" for "--ip" flag: not an IP address`)
  }
  for (const text of flags['mac-address']) {
    if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) {
      refuse(`invalid argument "${text}" for "--mac-address" flag: not a MAC address such as 02:00:00:00:00:01`)
    }
  }
  if (flags['context-dir'] !== undefined && flags.build !== true) {
    refuse('--build must be specified when using --context-dir option')
  }
  const propagation = flags['service-exit-code-propagation']
  if (propagation !== undefined && !['', 'none', 'all', 'any'].includes(propagation)) {
    refuse(`unsupported exit-code propagation "${propagation}"`, 'use none, all or any')
  }
  if ((flags['service-container'] || flags.wait) && !flags.start) {
    refuse(`cannot use ${flags.wait ? '--wait' : '--service-container'} with --start=false`)
  }
  return problems
}
