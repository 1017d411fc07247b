/** Makes what floor.sh reads: OCI configs and a netavark request with holes, and the exit hook. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mustSucceed, run } from '../../src/process.ts'
import { INIT_COMMAND, MAIN_COMMAND } from './manifests.ts'

type OciConfig = {
  process: { args: string[]; terminal: boolean }
  root: { path: string; readonly: boolean }
  linux: { namespaces: { type: string; path?: string }[]; cgroupsPath?: string }
}

/** Fills `directory`, which must not exist, for runs of floor.sh with FLOOR set to it. */
export async function setUpFloor(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true })
  for (const part of ['run', 'exits', 'pods', 'net']) mkdirSync(join(directory, part), { recursive: true })
  const generated = await run({ argv: ['crun', 'spec'], cwd: directory })
  mustSucceed(generated, 'writing an OCI config to start from')
  const { default: base } = await import(join(directory, 'config.json'), { with: { type: 'json' } })
  writeFileSync(join(directory, 'main.json'), JSON.stringify(withHoles(base, MAIN_COMMAND)))
  writeFileSync(join(directory, 'init.json'), JSON.stringify(withHoles(base, INIT_COMMAND)))
  writeFileSync(join(directory, 'network.json'), JSON.stringify(NETWORK))
  writeFileSync(join(directory, 'exit-hook'), '#!/bin/sh\necho "$2" >"$1"\n', { mode: 0o755 })
}

function withHoles(base: OciConfig, args: string[]): OciConfig {
  const pinned = ['net', 'ipc', 'uts'] as const
  const namespaces = [
    ...['pid', 'mount', 'cgroup'].map(type => ({ type })),
    ...pinned.map(kind => ({ type: kind === 'net' ? 'network' : kind, path: `@POD@/${kind}` })),
  ]
  return {
    ...base,
    process: { ...base.process, args, terminal: false },
    root: { path: '@ROOTFS@', readonly: false },
    linux: { ...base.linux, namespaces, cgroupsPath: '/floor/@ID@' },
  }
}

const NETWORK = {
  container_id: '@POD@',
  container_name: '@POD@',
  port_mappings: [],
  networks: { floor: { static_ips: ['@ADDRESS@'], interface_name: 'eth0', aliases: ['@POD@'] } },
  network_info: {
    floor: {
      name: 'floor',
      id: 'f'.repeat(64),
      driver: 'bridge',
      network_interface: 'floor0',
      subnets: [{ subnet: '10.99.0.0/16', gateway: '10.99.0.1' }],
      ipv6_enabled: false,
      internal: false,
      dns_enabled: true,
      ipam_options: { driver: 'host-local' },
    },
  },
}
