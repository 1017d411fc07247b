/**
 * What tspod tells about its own work. On a terminal that is errors only, printed by main.ts; `--log-level` or
 * TSPOD_LOG opens a log on standard error, and only then is winston loaded. The exit hook has no one who reads its
 * standard error: its errors go to a small file.
 */
import { closeSync, constants, fchmodSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export type Log = Record<LogLevel, (message: string, facts?: Record<string, unknown>) => void>

/** Opens a log on standard error with one line per message: time, level, message, facts. */
export async function openLog(level: LogLevel): Promise<Log> {
  // As a CommonJS package it has its parts on its default export, whichever way it is loaded.
  const { createLogger, format, transports } = (await import('winston')).default
  const line = format.printf(({ level: told, message, timestamp, ...facts }) => {
    const more = Object.entries(facts).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`)
    return `${String(timestamp)} ${told} ${String(message)}${more.join('')}`
  })
  const logger = createLogger({
    level,
    format: format.combine(format.timestamp(), line),
    transports: [new transports.Console({ stderrLevels: ['debug', 'info', 'warn', 'error'] })],
  })
  const at = (told: LogLevel) => (message: string, facts?: Record<string, unknown>) => {
    logger.log(told, message, facts)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Beyond this the file is moved to tspod.log.1, so that a pod that fails for ever fills no disk. */
const MAX_LOG_FILE_BYTES = 1024 * 1024

/**
 * Appends one message, with its time, to `<logRoot>/tspod.log` (0600, never through a link). Throws what the file
 * system throws.
 */
export function appendToLogFile(logRoot: string, nowMs: number, message: string): void {
  const path = join(logRoot, 'tspod.log')
  mkdirSync(logRoot, { recursive: true, mode: 0o700 })
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants
  const fd = openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0o600)
  try {
    fchmodSync(fd, 0o600)
    writeSync(fd, `${new Date(nowMs).toISOString()} ${message.trimEnd().replaceAll('\n', ' | ')}\n`)
    if (fstatSync(fd).size > MAX_LOG_FILE_BYTES) renameSync(path, `${path}.1`)
  } finally {
    closeSync(fd)
  }
}
