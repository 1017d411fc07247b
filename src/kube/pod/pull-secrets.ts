/** imagePullSecrets: credentials for registries, out of Secrets of the manifest or of earlier plays. */
import type { RegistryAuths } from '../../model.ts'
import { type ConfigStore, findConfig } from '../config/index.ts'
import { emptyRecord, type Field, quote } from '../yaml/index.ts'

/** The key of each type of Secret that holds credentials, newest first. */
const KEYS = ['.dockerconfigjson', '.dockercfg']

/** Credentials by registry; of two Secrets for one registry the first wins. Undefined when there are none. */
export function readPullSecrets(list: Field, store: ConfigStore): RegistryAuths | undefined {
  const auths: RegistryAuths = emptyRecord()
  for (const item of list.items()) {
    const name = item.at('name')
    const secret = findConfig(store, 'Secret', name, false)
    if (secret === undefined) continue
    const key = KEYS.find(candidate => secret.has(candidate))
    if (key === undefined) {
      const remedy = `make it of type kubernetes.io/dockerconfigjson, with the key ${quote(KEYS[0] ?? '')}`
      name.issue('NOT_FOUND', `the Secret ${quote(name.string() ?? '')} has no credentials for registries`, remedy)
      continue
    }
    const found = parse(Buffer.from(secret.get(key)?.base64 ?? '', 'base64').toString('utf8'), key)
    // Never the text: it is a secret.
    if (found === undefined)
      name.issue('INVALID_VALUE', `the key ${quote(key)} of the Secret is not JSON with credentials`)
    for (const [registry, auth] of Object.entries(found ?? {})) auths[registry] ??= auth
  }
  return Object.keys(auths).length > 0 ? auths : undefined
}

type Dictionary = Record<string, unknown>
const isDictionary = (value: unknown): value is Dictionary =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function parse(text: string, key: string): RegistryAuths | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  const entries = isDictionary(json) && key === KEYS[0] ? json.auths : json
  if (!isDictionary(entries)) return undefined
  const auths: RegistryAuths = emptyRecord()
  for (const [registry, entry] of Object.entries(entries)) {
    const auth = isDictionary(entry) ? authOf(entry) : undefined
    if (auth === undefined) return undefined
    auths[registryName(registry)] ??= auth
  }
  return auths
}

/** `USER:PASSWORD` in base64, as it is written or from its parts. */
function authOf({ auth, username, password }: Dictionary): string | undefined {
  if (typeof auth === 'string' && auth !== '') return auth
  if (typeof username !== 'string' || typeof password !== 'string') return undefined
  return Buffer.from(`${username}:${password}`, 'utf8').toString('base64')
}

/** Docker writes URLs, and its own registry by an old name. */
function registryName(written: string): string {
  const name = written.replace(/^https?:\/\//, '').replace(/\/(?:v[12]\/?)?$/, '')
  return name === 'index.docker.io' ? 'docker.io' : name
}
