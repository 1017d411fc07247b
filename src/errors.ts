/**
 * Errors a user may meet. Every one names the code (for scripts and tests), the subject, and the way out.
 * A broken invariant of our own is a plain Error and crashes loudly; it never becomes a TspodError.
 */
import { constants as osConstants } from 'node:os'

/** Exit code of every error of tspod's own, as in Podman. */
export const EXIT_OWN_ERROR = 125
/** Podman's for a command whose exit code there is none of. */
const EXIT_UNKNOWN = 255
/** Nothing was done, because a guard has found that it should not be. */
export const EXIT_REFUSED = 6
const EXIT_CANNOT_INVOKE = 126
const EXIT_NOT_FOUND = 127

/** Every code with the process exit code it leads to. */
export const ERROR_EXIT = {
  USAGE: EXIT_OWN_ERROR,
  NOT_ROOT: EXIT_OWN_ERROR,
  NOT_LINUX: EXIT_OWN_ERROR,
  MANIFEST_INVALID: EXIT_OWN_ERROR,
  MANIFEST_UNREADABLE: EXIT_OWN_ERROR,
  TOOL_MISSING: EXIT_OWN_ERROR,
  TOOL_TOO_OLD: EXIT_OWN_ERROR,
  RUNTIME_MISSING: EXIT_OWN_ERROR,
  CONFIG_INVALID: EXIT_OWN_ERROR,
  CRIU_MISSING: EXIT_OWN_ERROR,
  COMMAND_FAILED: EXIT_OWN_ERROR,
  COMMAND_TIMEOUT: EXIT_OWN_ERROR,
  COMMAND_ABORTED: EXIT_OWN_ERROR,
  IMAGE_NOT_FOUND: EXIT_OWN_ERROR,
  IMAGE_PULL_FAILED: EXIT_OWN_ERROR,
  IMAGE_BUILD_FAILED: EXIT_OWN_ERROR,
  IMAGE_BAD_NAME: EXIT_OWN_ERROR,
  IMAGE_BAD_CONFIG: EXIT_OWN_ERROR,
  AUTH_FILE: EXIT_OWN_ERROR,
  NAME_IN_USE: EXIT_OWN_ERROR,
  NO_SUCH_OBJECT: EXIT_OWN_ERROR,
  AMBIGUOUS_ID: EXIT_OWN_ERROR,
  WRONG_STATE: EXIT_OWN_ERROR,
  PORT_IN_USE: EXIT_OWN_ERROR,
  NETWORK_UNKNOWN: EXIT_OWN_ERROR,
  NETWORK_FAILED: EXIT_OWN_ERROR,
  NO_FREE_ADDRESS: EXIT_OWN_ERROR,
  HOOK_FAILED: EXIT_OWN_ERROR,
  HOST_LACKS: EXIT_OWN_ERROR,
  HOST_EXHAUSTED: EXIT_OWN_ERROR,
  VOLUME_INVALID: EXIT_OWN_ERROR,
  SECURITY_REFUSED: EXIT_OWN_ERROR,
  START_FAILED: EXIT_OWN_ERROR,
  INIT_FAILED: EXIT_OWN_ERROR,
  GAVE_WAY: EXIT_OWN_ERROR,
  PARTIAL_FAILURE: EXIT_OWN_ERROR,
  LOCK_TIMEOUT: EXIT_OWN_ERROR,
  STORE_NEWER: EXIT_OWN_ERROR,
  STORE_CORRUPT: EXIT_OWN_ERROR,
  STORE_UNUSABLE: EXIT_OWN_ERROR,
  UNSAFE_PATH: EXIT_OWN_ERROR,
  SOURCE_FETCH: EXIT_OWN_ERROR,
  SOURCE_UNTRUSTED: EXIT_OWN_ERROR,
  SOURCE_REWOUND: EXIT_OWN_ERROR,
  SOURCE_VANISHED: EXIT_OWN_ERROR,
  SOURCE_EMPTY: EXIT_OWN_ERROR,
  SOURCE_UNSTABLE: EXIT_OWN_ERROR,
  SOURCE_HOSTILE: EXIT_OWN_ERROR,
  SOURCE_RENDER: EXIT_OWN_ERROR,
  SOURCE_DECRYPT: EXIT_OWN_ERROR,
  SOURCE_VARS: EXIT_OWN_ERROR,
  ILLEGAL_TRANSITION: EXIT_OWN_ERROR,
  GITOPS_REFUSED: EXIT_REFUSED,
  GITOPS_WAITS: EXIT_REFUSED,
  EXEC_WRONG_STATE: EXIT_UNKNOWN,
  EXEC_CANNOT_INVOKE: EXIT_CANNOT_INVOKE,
  EXEC_NOT_FOUND: EXIT_NOT_FOUND,
} as const

export type ErrorCode = keyof typeof ERROR_EXIT

export type ErrorFacts = {
  /** What the user can do about it: a sentence without a full stop. */
  remedy: string
  cause?: unknown
  /** What the message sums up, to print above it (the issues of a manifest, for example). */
  details?: string
}

/** An expected failure: its code decides the exit code, its remedy is printed below the message. */
export class TspodError extends Error {
  override readonly name = 'TspodError'
  readonly code: ErrorCode
  readonly remedy: string
  readonly details: string | undefined

  constructor(code: ErrorCode, message: string, facts: ErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = code
    this.remedy = facts.remedy
    this.details = facts.details
  }

  get exitCode(): number {
    return ERROR_EXIT[this.code]
  }
}

/** True for an expected failure, optionally of one given code. */
export function isTspodError(error: unknown, code?: ErrorCode): error is TspodError {
  return error instanceof TspodError && (code === undefined || error.code === code)
}

/** True when a file-system call failed because the thing is not there. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** What the kernel says when it is not our doing: the host is out of something, or a disk is broken or read-only. */
const TROUBLE: Record<string, { what: string; remedy: string }> = {
  ENOSPC: { what: 'no space left on device', remedy: 'free some space: df -h shows where it is missing' },
  EDQUOT: { what: 'disk quota exceeded', remedy: 'free some space, or raise the quota' },
  EROFS: { what: 'read-only file system', remedy: 'mount it writable: see dmesg for why it is not' },
  EIO: { what: 'input/output error', remedy: 'look at the disk: see dmesg' },
  EMFILE: { what: 'too many open files', remedy: 'raise the limit: ulimit -n 1024, or LimitNOFILE= of the unit' },
  ENFILE: { what: 'too many open files in the whole system', remedy: 'raise fs.file-max: see sysctl' },
  ENOMEM: { what: 'out of memory', remedy: 'free some memory, or raise the limit: see dmesg' },
  EAGAIN: {
    what: 'resource temporarily unavailable',
    remedy: 'raise the limit of processes: ulimit -u, TasksMax= of the unit, or pids.max of the cgroup',
  },
}

/** A failure of the host in words for a person, undefined when `error` is none: then it is a bug of ours. */
export function hostTrouble(error: unknown): TspodError | undefined {
  const { code = '', syscall, path } = (error ?? {}) as NodeJS.ErrnoException
  const known = TROUBLE[code]
  if (known === undefined || syscall === undefined) return undefined
  const where = path === undefined ? syscall : `${syscall} ${path}`
  return new TspodError('HOST_EXHAUSTED', `${known.what} (${where})`, { remedy: known.remedy, cause: error })
}

const DISK_TROUBLE = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']

/** True when a file could not be written for want of room, or because its disk takes nothing. */
export function isDiskTrouble(error: unknown): boolean {
  return DISK_TROUBLE.includes((error as NodeJS.ErrnoException | null)?.code ?? '')
}

/** The error of a system call that was not made by Node, as Node would throw it; `errno` is positive. */
export function systemError(call: string, errno: number, path: string): NodeJS.ErrnoException {
  const code = Object.entries(osConstants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`
  return Object.assign(new Error(`${code}: ${call} ${path}`), { code, errno: -errno, syscall: call, path })
}
