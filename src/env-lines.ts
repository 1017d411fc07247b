/** Files of variables, one a line, as Podman reads the environment files of its commands. */

/** A line that sets something; `name` is empty where it is not `NAME=VALUE`. */
export type EnvLine = { line: number; name: string; value: string }

/**
 * The lines of such a file: empty ones and those that begin with `#` are left out, blanks before a name do not count,
 * and the value is everything behind the first `=`, quotes and blanks too. What may be a name is the caller's to say.
 */
export function envLines(text: string): EnvLine[] {
  return text.split('\n').flatMap((raw, index) => {
    const line = raw.replace(/\r$/, '').trimStart()
    if (line === '' || line.startsWith('#')) return []
    const name = /^([^=\s]+)=/.exec(line)?.[1] ?? ''
    return [{ line: index + 1, name, value: line.slice(name.length + 1) }]
  })
}
