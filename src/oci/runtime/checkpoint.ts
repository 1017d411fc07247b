/** Checkpoints: CRIU, called by the runtime, writes all processes of a container to files and brings them back. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import type { Id } from '../../model.ts'
import type { Finished, Run } from '../../process.ts'
import { lastMessage } from '../failures.ts'
import { findProgram } from './program.ts'
import type { Runtime } from './select.ts'
import { callRuntime } from './verbs.ts'

export type CriuOptions = {
  /** Connections stay open; their other ends have to wait meanwhile. */
  tcpEstablished: boolean
  /** Locks on files are taken again. */
  fileLocks: boolean
}

export type CheckpointOptions = CriuOptions & {
  /** An empty directory for the images. */
  imagePath: string
  /** A directory for CRIU's log. */
  workPath: string
  leaveRunning: boolean
}

/** All of a container's memory goes to disk, which takes as long as it takes. */
const CHECKPOINT_TIMEOUT_MS = 600_000

/** Flags of a runtime's checkpoint and restore. */
export function criuFlags(options: CriuOptions): string[] {
  return [...(options.tcpEstablished ? ['--tcp-established'] : []), ...(options.fileLocks ? ['--file-locks'] : [])]
}

/** Arguments of a runtime's checkpoint. Pure. */
export function checkpointArgs(id: Id, options: CheckpointOptions): string[] {
  const leave = options.leaveRunning ? ['--leave-running'] : []
  const paths = ['--image-path', options.imagePath, '--work-path', options.workPath]
  return ['checkpoint', ...paths, ...leave, ...criuFlags(options), id]
}

/**
 * Writes a running container to files. Unless it is left running, its processes have ended afterwards.
 * Throws CRIU_MISSING where the host or the runtime cannot, COMMAND_FAILED with CRIU's reason in one sentence.
 */
export async function checkpointContainer(
  run: Run,
  runtime: Runtime,
  id: Id,
  options: CheckpointOptions,
): Promise<void> {
  const patient = { ...runtime, timeoutMs: Math.max(runtime.timeoutMs ?? 0, CHECKPOINT_TIMEOUT_MS) }
  const doing = `checkpoint container ${id.slice(0, 12)}`
  const finished = await callRuntime(run, patient, doing, checkpointArgs(id, options))
  if (finished.exitCode === 0) return
  throw criuFailed(doing, finished.stderr || failedSilently(finished), textOf(join(options.workPath, 'dump.log')))
}

const failedSilently = ({ exitCode }: Finished): string => `the runtime ended with code ${exitCode}`

/**
 * Throws CRIU_MISSING when this host or this runtime cannot make checkpoints. Whether CRIU works with the kernel
 * shows only when it is used.
 */
export async function requireCriu(run: Run, runtime: Runtime): Promise<void> {
  if (findProgram('criu') === undefined) {
    throw criuMissing('criu is not installed, and it is what makes checkpoints', 'install it: apt install criu')
  }
  if (runtime.name !== 'crun') return
  const { stdout } = await run({ argv: [runtime.path, '--version'], timeoutMs: 10_000 })
  if (/\+CRIU\b/.test(stdout)) return
  throw criuMissing(
    `${runtime.path} ${runtime.version} was built without CRIU`,
    'play the pod with runc (--runtime runc), or with a crun whose --version says +CRIU',
  )
}

/**
 * Why CRIU failed at `doing`, in one sentence: its log names the reason, the runtime mostly does not. CRIU_MISSING
 * when it does not work with this kernel at all, COMMAND_FAILED otherwise.
 */
export function criuFailed(doing: string, output: string, log: string): TspodError {
  const { reason, isKernel } = criuReason(`${log}\n${output}`)
  if (isKernel) {
    return criuMissing(
      `criu does not work with this kernel: ${reason}`,
      'install a newer criu; `criu check` tells more',
    )
  }
  const why = reason ?? (lastMessage(output) || 'it did not say why')
  const wantsTcp = /tcp-established/.test(why)
  return new TspodError('COMMAND_FAILED', `cannot ${doing}: ${why}`, {
    remedy: wantsTcp ? 'use --tcp-established' : 'use --keep to see all that CRIU logged',
  })
}

/** Errors that CRIU reports and goes on after, or that only say that another one happened. */
const AFTERMATH = /rlimit: Can't setup|exited, status|Dumping FAILED|Restoring FAILED|Could not initialize kernel/

function criuReason(text: string): { reason?: string; isKernel: boolean } {
  const errors = [...text.matchAll(/Error \([^)]*\): ?(.*)/g)].map(match => lastMessage(match[1] ?? ''))
  const reason = errors.find(error => error !== '' && !AFTERMATH.test(error))
  const isKernel = /kerndat|kernel features detection/.test(text) && /Error \(criu\/(?:kerndat|crtools|vdso)/.test(text)
  return { ...(reason !== undefined && { reason: reason.slice(0, MAX_REASON_LENGTH) }), isKernel }
}

const MAX_REASON_LENGTH = 300
const MAX_LOG_BYTES = 4 * 1024 * 1024

/** CRIU's log; empty when it did not get that far. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-MAX_LOG_BYTES)
  } catch {
    return ''
  }
}

const criuMissing = (message: string, remedy: string): TspodError => new TspodError('CRIU_MISSING', message, { remedy })
