/** Paths in manifests. They are checked as text here; links are the business of whoever opens them. */

const MAX_PATH = 4095
const MAX_COMPONENT = 255

/** What is wrong with a relative path that must stay below where it starts, or undefined. */
export function pathProblem(text: string): string | undefined {
  if (text.startsWith('/')) return 'must be a relative path'
  return text.split('/').includes('..') ? "must not contain '..'" : textProblem(text)
}

/** What is wrong with a path of any kind: control characters and lengths that no file system has. */
export function textProblem(text: string): string | undefined {
  if (/[\u0000-\u001f\u007f]/.test(text)) return 'must not contain control characters'
  if (Buffer.byteLength(text) > MAX_PATH) return `must be no more than ${MAX_PATH} bytes`
  const long = text.split('/').some(part => Buffer.byteLength(part) > MAX_COMPONENT)
  return long ? `must have no part longer than ${MAX_COMPONENT} bytes` : undefined
}

/** A path without empty and `.` parts; absolute ones stay absolute. `..` must have been refused before. */
export function tidyPath(text: string): string {
  const parts = text.split('/').filter(part => part !== '' && part !== '.')
  return `${text.startsWith('/') ? '/' : ''}${parts.join('/')}`
}
