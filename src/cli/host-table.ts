/** What `info` and `doctor` know about this host, read once. */
import type { HostCheck, HostFacts, Store } from '../oci/index.ts'
import type { World } from './verb.ts'

export type HostReport = { facts: HostFacts; checks: HostCheck[]; store: Store | undefined }

/** Reads the host and asks every program for its version; an unreadable storage.conf leaves `store` empty. */
export async function readHost({ run, paths }: Pick<World, 'run' | 'paths'>): Promise<HostReport> {
  const { checkHost, openStorage, readHostFacts } = await import('../oci/index.ts')
  const facts = await readHostFacts()
  const [checks, store] = await Promise.all([checkHost(run, paths, facts), openStorage().catch(() => undefined)])
  return { facts, checks, store }
}
