/** Documents that hold data: ConfigMap and Secret. */
import type { SecretSpec } from '../../model.ts'
import { configKeyProblem, emptyRecord, type Field, quote } from '../yaml/index.ts'
import type { ConfigData, ConfigValue } from './store.ts'

const MAX_BYTES = 1024 * 1024
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Keys that a typed Secret must have: all of them, or for `any` at least one. */
const TYPED: Record<string, { keys: string[]; any?: boolean }> = {
  'kubernetes.io/dockerconfigjson': { keys: ['.dockerconfigjson'] },
  'kubernetes.io/dockercfg': { keys: ['.dockercfg'] },
  'kubernetes.io/basic-auth': { keys: ['username', 'password'], any: true },
  'kubernetes.io/ssh-auth': { keys: ['ssh-privatekey'] },
  'kubernetes.io/tls': { keys: ['tls.crt', 'tls.key'] },
}

const TOKEN_TYPE = 'kubernetes.io/service-account-token'
const TOKEN_ACCOUNT = 'kubernetes.io/service-account.name'

/** The data of a ConfigMap document. */
export function readConfigMap(document: Field): ConfigData {
  const data = new Map<string, ConfigValue>()
  for (const [key, value] of document.at('data').entries()) addText(data, key, value)
  for (const [key, value] of document.at('binaryData').entries()) {
    if (data.has(key)) value.issueAt(value.key, 'DUPLICATE', `the key ${quote(key)} is in data too`, 'keep one of them')
    addBase64(data, key, value, true)
  }
  checkSize(document, data)
  return data
}

/** A Secret document; `stringData` wins over `data`. */
export function readSecret(document: Field): SecretSpec {
  const data = new Map<string, ConfigValue>()
  for (const [key, value] of document.at('data').entries()) addBase64(data, key, value, false)
  for (const [key, value] of document.at('stringData').entries()) addText(data, key, value)
  checkSize(document, data)
  const type = document.at('type').string() || 'Opaque'
  checkTyped(document, type, data)
  checkContent(document, type, data)
  const record = emptyRecord<string>()
  for (const [key, value] of data) record[key] = value.base64
  return {
    name: document.at('metadata').at('name').string() ?? '',
    type,
    immutable: document.at('immutable').boolean() ?? false,
    data: record,
  }
}

function addText(data: Map<string, ConfigValue>, key: string, value: Field): void {
  checkKey(key, value)
  data.set(key, { base64: Buffer.from(value.string() ?? '', 'utf8').toString('base64'), binary: false })
}

function addBase64(data: Map<string, ConfigValue>, key: string, value: Field, binary: boolean): void {
  checkKey(key, value)
  const text = (value.string() ?? '').replace(/[\r\n]/g, '')
  if (!BASE64.test(text)) {
    const remedy = `write it in base64, or use ${binary ? 'data' : 'stringData'}`
    value.issue('INVALID_VALUE', `the value of ${quote(key)} is not base64`, remedy)
  }
  data.set(key, { base64: text, binary })
}

function checkKey(key: string, value: Field): void {
  const problem = configKeyProblem(key)
  if (problem !== undefined) value.issueAt(value.key, 'INVALID_VALUE', `the key ${quote(key)} ${problem}`)
}

function checkSize(document: Field, data: ConfigData): void {
  let bytes = 0
  for (const value of data.values()) bytes += Math.floor((value.base64.length * 3) / 4)
  const place = document.at('data').present ? document.at('data') : document.at('stringData')
  if (bytes > MAX_BYTES)
    place.issue('TOO_LONG', `the data is ${bytes} bytes, and ${MAX_BYTES} are allowed`, 'split it, or use a volume')
}

/** What else Kubernetes wants of two types. */
function checkContent(document: Field, type: string, data: ConfigData): void {
  if (type === TOKEN_TYPE) {
    const annotations = document.at('metadata').at('annotations')
    if (!annotations.entry(TOKEN_ACCOUNT).string())
      annotations.issue('REQUIRED', `a Secret of type ${type} must have the annotation ${TOKEN_ACCOUNT}`, 'add it')
  }
  const config = data.get('.dockerconfigjson')
  if (type !== 'kubernetes.io/dockerconfigjson' || config === undefined) return
  try {
    JSON.parse(Buffer.from(config.base64, 'base64').toString('utf8'))
  } catch {
    // Its text is never shown.
    document.at('type').issue('INVALID_VALUE', 'the value of ".dockerconfigjson" is not JSON', 'correct it')
  }
}

function checkTyped(document: Field, type: string, data: ConfigData): void {
  const wanted = Object.hasOwn(TYPED, type) ? TYPED[type] : undefined
  if (wanted === undefined) return
  const missing = wanted.keys.filter(key => !data.has(key))
  if (missing.length === 0 || (wanted.any === true && missing.length < wanted.keys.length)) return
  const keys = wanted.any === true ? wanted.keys.join(' or ') : missing.join(' and ')
  document
    .at('type')
    .issue('REQUIRED', `a Secret of type ${type} must have the key ${keys}`, 'add it, or use type: Opaque')
}
