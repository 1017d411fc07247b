/** Who keeps a database locked: for the message to whoever waited. */
import { readFileSync, statSync } from 'node:fs'

/** Of the -shm file, the byte that a writer has locked (SQLite's WAL-mode file format, "WAL_WRITE_LOCK"). */
const WRITER_BYTE = 120

/** "process 12 (argv)" of the process that writes to the database at `path`, undefined when the kernel does not say. */
export function writerOf(path: string): string | undefined {
  try {
    const { ino } = statSync(`${path}-shm`)
    // 3: POSIX  ADVISORY  WRITE 4711 fe:00:1234 120 120
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      const [, , , mode, pid = '', file = '', from, to] = line.split(/ +/)
      if (mode !== 'WRITE' || file.split(':')[2] !== String(ino)) continue
      if (Number(from) > WRITER_BYTE || Number(to) < WRITER_BYTE || Number(pid) === process.pid) continue
      return `process ${pid} (${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()})`
    }
  } catch {
    // It has let go meanwhile, or is in a PID namespace that cannot be seen from here.
  }
  return undefined
}
