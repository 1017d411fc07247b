/** What crun and runc say when they fail, in one sentence for people and with the way out where it is known. */
import { TspodError } from '../errors.ts'
import type { Runtime } from './runtime/index.ts'

/** START_FAILED in one sentence, from the error output or JSON log of a runtime. */
export function startFailed(name: string, runtime: Pick<Runtime, 'name'>, output: string): TspodError {
  const { text, remedy } = explain(output)
  return new TspodError(
    'START_FAILED',
    `container ${name}: ${text === '' ? `${runtime.name} failed without a word` : text}`,
    {
      remedy: remedy ?? `run \`tspod inspect ${name}\` and look at its command, mounts and security settings`,
    },
  )
}

/** What a runtime said, as one line without its decoration, and what to do about it when that is known. */
export function explain(output: string): { text: string; remedy?: string } {
  const text = lastMessage(output)
  const known = KNOWN_FAILURES.find(({ pattern }) => pattern.test(text))
  if (known === undefined) return { text }
  return { text: known.say?.(known.pattern.exec(text) as RegExpExecArray) ?? text, remedy: known.remedy }
}

type KnownFailure = { pattern: RegExp; say?: (match: RegExpExecArray) => string; remedy: string }

/** crun's and runc's words for the failures users cause, and the way out of each. */
const KNOWN_FAILURES: readonly KnownFailure[] = [
  {
    pattern:
      /executable file [`"']?([^`"']+?)[`"']? not found in \$PATH|exec: "([^"]+)": (?:executable file not found|stat [^:]+: no such file)/i,
    say: match => `the image has no program "${match[1] ?? match[2]}"`,
    remedy: 'correct the first word of command (or of args, when the image has no entrypoint): it must be in the image',
  },
  {
    pattern: /exec: "([^"]+)": permission denied|open executable(?: file)? [`"']?([^`"']+?)[`"']?: permission denied/i,
    say: match => `the program "${match[1] ?? match[2]}" is not executable for the container's user`,
    remedy: 'make it executable in the image, or set runAsUser to a user who may run it',
  },
  {
    // crun of a directory or a file without the mode, which it does not name.
    pattern: /^open executable(?: file)?: (?:operation not permitted|permission denied)/i,
    say: () => "the program is not executable for the container's user, or is a directory",
    remedy: 'correct the first word of command, or make it executable in the image',
  },
  {
    pattern: /exec format error/i,
    say: () => 'the program is for another machine, or is a script without a #! line',
    remedy: "use an image for this machine's architecture",
  },
  {
    pattern: /hybrid mode (?:is )?not supported|cgroups in hybrid mode/i,
    say: () => 'this crun refuses hybrid cgroups',
    remedy: 'use runc (--runtime runc), or boot with systemd.unified_cgroup_hierarchy=1',
  },
  {
    pattern: /setrlimit.*operation not permitted|RLIM(?:IT)?_\w+.*(?:operation )?not permitted/i,
    remedy: 'this host lacks CAP_SYS_RESOURCE, so no limit can be raised: see `tspod doctor`',
  },
  {
    pattern: /(?:cannot|unable to) (?:chdir|set the cwd|start container process: chdir)|chdir to cwd|mkdir.*cwd/i,
    remedy: "correct workingDir: it must be a directory that the container's user may enter",
  },
  {
    pattern: /\b(?:memory|cpu|pids|cpuset|io)\.[a-z_.]+\b.*no such file/i,
    remedy: 'this host cannot enforce that limit (see `tspod doctor`): leave it out of resources.limits',
  },
  {
    pattern: /no space left on device/i,
    remedy: 'free space below the run root and the storage root (`tspod doctor` shows both)',
  },
]

/** The last error in a runtime's JSON log, or the last line of its plain error output, without prefixes. */
export function lastMessage(output: string): string {
  let last = ''
  for (const line of output.split('\n')) {
    if (line.trim() === '') continue
    const entry = jsonLine(line)
    if (entry === undefined) last = line.trim()
    else if (entry.level === 'error' || entry.level === 'fatal') last = entry.msg
  }
  const quoted = /level=(?:error|fatal) msg=("(?:[^"\\]|\\.)*")/.exec(last)?.[1]
  const text = quoted === undefined ? last : (JSON.parse(quoted) as string)
  return (
    text
      .replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z: /, '')
      .replace(/^(?:runc (?:create|run|start) failed|container_linux\.go:\d+): /, '')
      .replace(/^unable to start container process: /, '')
      // It is printed on terminals: no line breaks, no escape sequences, whatever a manifest made the runtime say.
      .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ')
      .trim()
  )
}

/** One line of a JSON log. Of one that was cut off, by a full disk or a kill, what there is of its message. */
function jsonLine(line: string): { level: string; msg: string } | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const { level, msg } = JSON.parse(line) as { level?: unknown; msg?: unknown }
    return typeof level === 'string' && typeof msg === 'string' ? { level, msg } : undefined
  } catch {
    const msg = /"msg": ?"((?:[^"\\]|\\.)*)/.exec(line)?.[1]
    const level = /"level": ?"(\w+)"/.exec(line)?.[1] ?? 'error'
    return msg ? { level, msg: msg.replace(/\\(.)/g, '$1') } : undefined
  }
}
