/** The programs that tspod calls: which are on this host, whether they are new enough, and how to get the others. */
import { existsSync } from 'node:fs'
import type { Run } from '../process.ts'
import type { HostCheck } from './features.ts'
import { findProgram, isOlder, obstacleOf, RUNTIME_FLOORS } from './runtime/index.ts'
import type { HostFacts } from './spec/index.ts'

/** One program: where it matters, how old it may be, and how to get it. */
type Tool = {
  name: string
  floor: string
  /** `runtime`: one of these is enough. */
  need: 'required' | 'runtime' | 'wanted'
  forWhat: string
  /** Where no distribution has a package of its name. */
  install?: string
  versionArgs?: string[]
}

const KUSTOMIZE: Tool = {
  name: 'kustomize',
  floor: '4',
  need: 'wanted',
  forWhat: 'gitops: sources with a kustomization',
  install: 'install kustomize 4 or kubectl 1.21, or newer, in /usr/local/bin for example',
  versionArgs: ['version'],
}
const KUBECTL: Tool = { ...KUSTOMIZE, name: 'kubectl', floor: '1.21', versionArgs: ['version', '--client'] }

/** The floors are what Debian 12 has, where it has it; older versions were not tried. */
const TOOLS: readonly Tool[] = [
  { name: 'crun', floor: RUNTIME_FLOORS.crun as string, need: 'runtime', forWhat: 'runs containers' },
  { name: 'runc', floor: RUNTIME_FLOORS.runc as string, need: 'runtime', forWhat: 'runs containers' },
  { name: 'conmon', floor: '2.1.2', need: 'required', forWhat: 'watches containers' },
  { name: 'netavark', floor: '1.4', need: 'required', forWhat: 'pod networks' },
  { name: 'aardvark-dns', floor: '1.4', need: 'wanted', forWhat: 'names of pods' },
  {
    name: 'containers-storage',
    floor: '1.43',
    need: 'required',
    forWhat: 'root file systems',
    versionArgs: ['version'],
  },
  { name: 'skopeo', floor: '1.9', need: 'wanted', forWhat: 'pulling images' },
  { name: 'catatonit', floor: '0.1.7', need: 'wanted', forWhat: 'shareProcessNamespace' },
  { name: 'git', floor: '2.39', need: 'wanted', forWhat: 'gitops: sources in git' },
  {
    name: 'sops',
    floor: '3',
    need: 'wanted',
    forWhat: 'gitops: sources with files encrypted by SOPS',
    install: 'install sops 3 or newer, in /usr/local/bin for example',
  },
]

/** What is found of all of them, each asked for its version. */
export async function checkTools(run: Run, host: HostFacts): Promise<HostCheck[]> {
  const versions = new Map<string, string>()
  const ask = async (tool: Pick<Tool, 'name' | 'versionArgs'>): Promise<void> => {
    const path = findProgram(tool.name)
    if (path !== undefined) versions.set(tool.name, await versionOf(run, path, tool.versionArgs ?? ['--version']))
  }
  const asked = [...TOOLS, KUSTOMIZE, KUBECTL, { name: 'nft' }, { name: 'iptables' }, { name: 'systemctl' }]
  await Promise.all(asked.map(ask))
  return [
    checkRuntimes(versions, host),
    ...TOOLS.map(tool => checkTool(tool, versions.get(tool.name), host)),
    checkKustomize(versions, host),
    checkFirewall(versions),
    checkSystemd(existsSync('/run/systemd/system'), versions.get('systemctl')),
  ]
}

/** A version number, `unknown` when the program runs but says none, `broken: …` when it cannot be run. */
async function versionOf(run: Run, path: string, args: string[]): Promise<string> {
  try {
    // sops would ask its makers for the newest version first, and wait where there is no network.
    const env = { SOPS_DISABLE_VERSION_CHECK: '1' }
    const { stdout, stderr, exitCode } = await run({ argv: [path, ...args], env, timeoutMs: 10_000 })
    const version = /\d+(?:\.\d+)+|(?<=systemd )\d+/.exec(`${stdout}\n${stderr}`)?.[0]
    // containers-storage 1.43 has no way to say its version, and says so with a failure.
    return version === undefined || exitCode !== 0 ? 'unknown' : version
  } catch (error) {
    return `broken: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Whether one program is there and new enough. Pure. */
export function checkTool(tool: Tool, version: string | undefined, host: HostFacts): HostCheck {
  const check = { name: tool.name, needed: `${tool.floor} or newer (${tool.forWhat})` }
  const install = tool.install ?? `apt install ${tool.name} (or dnf install ${tool.name})`
  const lacking = tool.need === 'required' ? 'missing' : 'warn'
  if (version === undefined) return { ...check, status: lacking, found: 'not installed', remedy: install }
  if (version.startsWith('broken'))
    return { ...check, status: lacking, found: version, remedy: `reinstall it: ${install}` }
  if (version === 'unknown') return { ...check, status: 'ok', found: 'installed, version unknown' }
  if (isOlder(version, tool.floor)) {
    const remedy = tool.install ?? `update the host, then ${install}`
    return { ...check, status: lacking, found: version, remedy }
  }
  const obstacle = obstacleOf({ name: tool.name, version }, host)
  if (obstacle === undefined) return { ...check, status: 'ok', found: version }
  return {
    ...check,
    status: 'warn',
    found: `${version}, unusable here: ${obstacle}`,
    remedy: 'use runc, or boot with cgroup v2 only',
  }
}

/** kubectl builds kustomizations as well, where there is no kustomize. Pure. */
export function checkKustomize(versions: ReadonlyMap<string, string>, host: HostFacts): HostCheck {
  const tool = versions.has(KUSTOMIZE.name) || !versions.has(KUBECTL.name) ? KUSTOMIZE : KUBECTL
  return checkTool(tool, versions.get(tool.name), host)
}

/** Whether at least one runtime works. Pure. */
export function checkRuntimes(versions: ReadonlyMap<string, string>, host: HostFacts): HostCheck {
  const usable = TOOLS.filter(({ name, floor, need }) => {
    const version = versions.get(name)
    if (need !== 'runtime' || version === undefined || !/^\d/.test(version)) return false
    return !isOlder(version, floor) && obstacleOf({ name, version }, host) === undefined
  }).map(tool => tool.name)
  const check = { name: 'OCI runtime', needed: 'crun or runc that works here' }
  if (usable.length > 0) return { ...check, status: 'ok', found: usable.join(', ') }
  const runtime = host.cgroup === 'hybrid' ? 'runc' : 'crun'
  return { ...check, status: 'missing', found: 'none', remedy: `apt install ${runtime} (or dnf install ${runtime})` }
}

/** netavark publishes ports with iptables, from 1.10 on with nftables as well. Pure. */
export function checkFirewall(versions: ReadonlyMap<string, string>): HostCheck {
  const netavark = versions.get('netavark') ?? ''
  const tools = isOlder(netavark, '1.10') ? ['iptables'] : ['nft', 'iptables']
  const found = tools.filter(tool => versions.get(tool)?.startsWith('broken') === false)
  const check = { name: 'firewall', needed: `${tools.join(' or ')} (published ports)` }
  if (found.length > 0)
    return { ...check, status: 'ok', found: found.map(tool => `${tool} ${versions.get(tool)}`).join(', ') }
  const name = tools[0] === 'nft' ? 'nftables' : 'iptables'
  return { ...check, status: 'missing', found: 'none', remedy: `apt install ${name} (or dnf install ${name})` }
}

/** systemd is wanted, never needed. Pure. */
export function checkSystemd(booted: boolean, version: string | undefined): HostCheck {
  const check = { name: 'systemd', needed: 'wanted: units, scopes and journal; 250 or newer' }
  if (!booted)
    return {
      ...check,
      status: 'warn',
      found: 'not the init of this host',
      remedy: 'none needed for pods; to run them as units, boot with systemd',
    }
  if (version === undefined || !isOlder(version, '250')) return { ...check, status: 'ok', found: version ?? 'running' }
  return { ...check, status: 'warn', found: version, remedy: 'update the host: older versions were not tried' }
}
