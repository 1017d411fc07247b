/** The flags of a play by which nothing was asked for. */
import type { PlayOptions } from '../types/index.ts'

export const PLAIN_OPTIONS: Omit<PlayOptions, 'pull'> = {
  replace: false,
  start: true,
  networks: [],
  ips: [],
  macs: [],
  logOptions: [],
  noHosts: false,
  noHostname: false,
  noPodPrefix: false,
}
