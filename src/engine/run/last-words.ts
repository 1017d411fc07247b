/** The message of a container that has ended: what it left in its termination log, or else the end of its output. */
import { basename, dirname } from 'node:path'
import { readBeneath } from '../../files.ts'
import { parseEntry } from '../../oci/index.ts'
import { type PodWork, placesOf } from '../context.ts'
import { type ContainerRecord, specNamed } from '../state/index.ts'
import { logPath } from './log-path.ts'

/** What the kubelet keeps of a termination log, and what of the output in its place. */
const MESSAGE_BYTES = 4096
const OUTPUT_BYTES = 2048
const OUTPUT_LINES = 80
/** Enough for that many bytes of output with a time stamp before each line of one character. */
const LOG_BYTES = 64 * 1024

/**
 * The message of `record`, which ended with `exitCode`: the end of its termination log; with the policy
 * FallbackToLogsOnError that of its output, where the log is empty and it failed.
 */
export function lastWords(work: PodWork, record: ContainerRecord, exitCode: number): string {
  const own = endOf(placesOf(work, record.id).run, 'termination-log', MESSAGE_BYTES)
  const policy = specNamed(work.pod.spec, record.shortName)?.terminationMessagePolicy
  const falls = exitCode !== 0 && policy === 'FallbackToLogsOnError'
  return (own.trim() === '' && falls ? endOfOutput(logPath(work.context.paths, work.pod, record)) : own).trimEnd()
}

function endOfOutput(path: string): string {
  if (path === '') return ''
  const entries = endOf(dirname(path), basename(path), LOG_BYTES)
    .split('\n')
    .flatMap(line => parseEntry(line) ?? [])
  const text = entries.map(entry => (entry.full ? `${entry.text}\n` : entry.text)).join('')
  return lastBytes(
    text
      .split(/(?<=\n)/)
      .slice(-OUTPUT_LINES)
      .join(''),
    OUTPUT_BYTES,
  )
}

/** A file of ours whose content is the container's: nothing where it is gone, or is something else now. */
function endOf(directory: string, name: string, maxBytes: number): string {
  try {
    return utf8(readBeneath(directory, name, maxBytes, 'end') ?? Buffer.alloc(0))
  } catch {
    // No message is better than a wrong one.
    return ''
  }
}

const lastBytes = (text: string, most: number): string => utf8(Buffer.from(text).subarray(-most))

/** Without the rest of a character that was cut in two at the beginning. */
function utf8(bytes: Buffer): string {
  let start = 0
  while (start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1
  return bytes.subarray(start).toString('utf8')
}
