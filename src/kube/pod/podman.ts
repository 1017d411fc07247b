/**
 * Podman's annotations that change how containers run, and the ones of old Kubernetes that became fields. A key ends
 * with `/CONTAINER` where it is about one container. Source: Podman's documentation of kube play.
 */
import type { ContainerSpec, MountSpec, SeccompSpec } from '../../model.ts'
import { readSettings, type Setting } from '../metadata.ts'
import { emptyRecord, type Field, pathProblem, quote, tidyPath } from '../yaml/index.ts'

/** Resource limits by the names of ulimit(1), as setrlimit(2) calls them. */
const ULIMITS = 'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
  ' ',
)
const CPU_LIST = /^\d{1,4}(?:-\d{1,4})?(?:,\d{1,4}(?:-\d{1,4})?)*$/
const MAX_PIDS = 4_194_304

export type PodmanContext = { extra: Record<string, string>; seccompRoot: string }

/** Applies the annotations to the containers, which are in the order of the manifest. */
export function applyPodman(metadata: Field, containers: readonly ContainerSpec[], context: PodmanContext): void {
  const settings = (base: string): Setting[] => readSettings(metadata, context.extra, base)
  for (const [base, apply] of Object.entries(FOR_ONE)) {
    for (const setting of settings(base)) {
      const container = containers.find(({ name }) => name === setting.subject)
      if (container !== undefined) apply(container, setting, containers, context)
      else complainOfName(setting, base)
    }
  }
  for (const setting of settings('io.podman.annotations.ulimit')) {
    const rlimits = readUlimits(setting)
    for (const container of containers) if (rlimits !== undefined) container.rlimits = rlimits
  }
  for (const setting of settings('seccomp.security.alpha.kubernetes.io')) {
    const profile = readSeccomp(setting, context)
    if (setting.subject !== 'pod') setting.complain('INVALID_VALUE', 'the key must end with /pod', 'write it so')
    else if (profile !== undefined) for (const container of containers) setSeccomp(container, profile)
  }
}

type Apply = (
  container: ContainerSpec,
  setting: Setting,
  containers: readonly ContainerSpec[],
  context: PodmanContext,
) => void

const FOR_ONE: Record<string, Apply> = {
  'io.podman.annotations.pids-limit': (container, setting) => {
    const count = Number(setting.text)
    if (!/^-?\d+$/.test(setting.text) || count < -1 || count > MAX_PIDS)
      setting.complain('INVALID_VALUE', `${quote(setting.text)} is not a number of processes`, 'write a whole number')
    // Nothing and less than nothing mean no limit, as in Podman.
    else container.resources.pidsLimit = count > 0 ? count : -1
  },
  'io.podman.annotations.cpuset': (container, setting) => {
    if (isList(setting)) container.resources.cpusetCpus = setting.text
  },
  'io.podman.annotations.memory-nodes': (container, setting) => {
    if (isList(setting)) container.resources.cpusetMems = setting.text
  },
  'io.podman.annotations.label': (container, setting) => {
    // Without a label in the manifest containers have none.
    if (setting.text === 'disable') return
    const [, part = '', value = ''] = /^(user|role|type|level):([A-Za-z0-9_.,:-]+)$/.exec(setting.text) ?? []
    if (part === '')
      setting.complain(
        'NOT_SUPPORTED',
        `the label option ${quote(setting.text)} is not supported`,
        'use disable, or type:NAME',
      )
    else container.security.selinux = { ...container.security.selinux, [part]: value }
  },
  'io.podman.annotations.volumes-from': (container, setting, containers) => {
    for (const source of setting.text.split(';').filter(Boolean)) volumesFrom(container, source, setting, containers)
  },
  'container.seccomp.security.alpha.kubernetes.io': (container, setting, _, context) => {
    const profile = readSeccomp(setting, context)
    if (profile !== undefined) setSeccomp(container, profile)
  },
  'container.apparmor.security.beta.kubernetes.io': (container, setting) => {
    const [, profile] = /^localhost\/([A-Za-z0-9_./+-]+)$/.exec(setting.text) ?? []
    if (profile !== undefined) container.security.appArmor = { type: 'Localhost', profile }
    else if (setting.text === 'unconfined') container.security.appArmor = { type: 'Unconfined' }
    else if (setting.text === 'runtime/default') container.security.appArmor = { type: 'RuntimeDefault' }
    else setting.complain('UNSUPPORTED_VALUE', `${quote(setting.text)} is not possible here`, 'use localhost/PROFILE')
  },
}

function complainOfName({ subject, complain }: Setting, base: string): void {
  if (subject === '') complain('REQUIRED', 'the key must name a container', `write it as ${base}/CONTAINER`)
  else complain('NOT_FOUND', `no container is called ${quote(subject)}`, 'name one of this pod')
}

function isList({ text, complain }: Setting): boolean {
  if (CPU_LIST.test(text)) return true
  complain('INVALID_VALUE', `${quote(text)} is not a list of numbers`, 'write it as 0-2,5')
  return false
}

/** `name=soft:hard`, several with commas; `name=value` for both. */
function readUlimits({ text, complain }: Setting): ContainerSpec['rlimits'] | undefined {
  const limits: NonNullable<ContainerSpec['rlimits']> = emptyRecord()
  for (const part of text.split(',')) {
    const [, name = '', soft = '', hard = soft] = /^([a-z]+)=(-1|\d{1,15})(?::(-1|\d{1,15}))?$/.exec(part) ?? []
    if (!ULIMITS.includes(name)) {
      complain('INVALID_VALUE', `${quote(part)} is not a limit`, 'write it as nofile=1024:4096')
      return undefined
    }
    limits[name] = { soft: Number(soft), hard: Number(hard) }
  }
  return limits
}

function setSeccomp(container: ContainerSpec, profile: SeccompSpec): void {
  if (!container.security.privileged) container.security.seccomp = profile
}

function readSeccomp({ text, complain }: Setting, { seccompRoot }: PodmanContext): SeccompSpec | undefined {
  if (text === 'unconfined') return { type: 'Unconfined' }
  if (text === 'runtime/default' || text === 'docker/default') return { type: 'RuntimeDefault' }
  const file = /^localhost\/(.+)$/.exec(text)?.[1] ?? ''
  const problem = file === '' ? 'is no profile' : pathProblem(file)
  if (problem === undefined) return { type: 'Localhost', profile: `${seccompRoot}/${tidyPath(file)}` }
  complain('INVALID_VALUE', `${quote(text)} ${problem}`, 'use runtime/default, unconfined or localhost/FILE')
  return undefined
}

/** All mounts of a container that is listed before, but for places that are taken. */
function volumesFrom(
  container: ContainerSpec,
  source: string,
  { complain }: Setting,
  containers: readonly ContainerSpec[],
): void {
  const [name = '', options = ''] = source.split(':')
  const at = containers.findIndex(candidate => candidate.name === name)
  const words = options.split(',').filter(Boolean)
  const unknown = words.find(word => !['ro', 'rw', 'z', 'Z'].includes(word))
  if (at === -1) complain('NOT_FOUND', `no container is called ${quote(name)}`, 'name one of this pod')
  else if (at >= containers.indexOf(container))
    complain(
      'INVALID_VALUE',
      `the container ${quote(name)} must be listed before ${quote(container.name)}`,
      'move it up',
    )
  else if (unknown !== undefined)
    complain('UNSUPPORTED_VALUE', `the option ${quote(unknown)} is not possible here`, 'use ro or rw')
  else container.mounts.push(...lent(container, containers[at]?.mounts ?? [], words.includes('ro')))
}

const lent = (container: ContainerSpec, mounts: readonly MountSpec[], readOnly: boolean): MountSpec[] =>
  mounts
    .filter(({ path }) => !container.mounts.some(own => own.path === path))
    .map(mount => ({ ...mount, readOnly: mount.readOnly || readOnly }))
