/** The part of an image's configuration that decides how its containers run. */
import { TspodError } from '../errors.ts'
import type { ImageConfig } from '../model.ts'

/**
 * Decodes an OCI or Docker image configuration (image-spec, config.md). `name` is for messages. Image data is hostile:
 * everything but the fields of ImageConfig is dropped, health checks and `OnBuild` among it (S17).
 * Throws IMAGE_BAD_CONFIG when a field has a wrong type, or the image is not for Linux.
 */
export function parseImageConfig(text: string, name: string): { config: ImageConfig; createdMs: number } {
  const bad = (what: string): TspodError =>
    new TspodError('IMAGE_BAD_CONFIG', `image ${name}: ${what}`, { remedy: 'build the image again, or pull it again' })

  const document = objectOr(parseJson(text), () => bad('its configuration is not a JSON object'))
  if (typeof document.os === 'string' && document.os !== '' && document.os !== 'linux') {
    throw bad(`it is made for ${JSON.stringify(document.os)}, not for linux`)
  }
  const config = objectOr(document.config ?? {}, () => bad('config is not an object'))
  const strings = (key: string): string[] => {
    const value = config[key] ?? []
    if (Array.isArray(value) && value.every(entry => typeof entry === 'string' && !entry.includes('\0'))) return value
    throw bad(`config.${key} is not a list of strings`)
  }
  const string = (key: string): string => {
    const value = config[key] ?? ''
    if (typeof value === 'string' && !/[\0\n\r]/.test(value)) return value
    throw bad(`config.${key} is not a line of text`)
  }
  const table = (key: string): Record<string, unknown> =>
    objectOr(config[key] ?? {}, () => bad(`config.${key} is not an object`))

  return {
    createdMs: timeOf(document.created),
    config: {
      entrypoint: strings('Entrypoint'),
      cmd: strings('Cmd'),
      env: strings('Env'),
      workingDir: string('WorkingDir'),
      user: string('User'),
      stopSignal: string('StopSignal'),
      volumes: Object.keys(table('Volumes')),
      labels: Object.fromEntries(Object.entries(table('Labels')).map(([key, value]) => [key, String(value)])),
    },
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function objectOr(value: unknown, error: () => TspodError): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw error()
  return value as Record<string, unknown>
}

/** Milliseconds since 1970; 0 for an image that does not say when it was made. */
function timeOf(created: unknown): number {
  const ms = typeof created === 'string' ? Date.parse(created) : Number.NaN
  return Number.isNaN(ms) ? 0 : ms
}
