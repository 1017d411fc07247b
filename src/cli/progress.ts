/** What is being done right now, on standard error: one moving line on a terminal, plain lines elsewhere. */
import type { Progress } from '../engine/index.ts'
import { printable } from './output.ts'
import type { Output } from './verb.ts'

export type ProgressLine = {
  show: Progress
  /** Removes the moving line, so that what follows stands alone. */
  finish(): void
}

/** With `quiet` nothing is shown at all. The same text twice in a row is shown once. */
export function progressLine(output: Output, quiet: boolean): ProgressLine {
  if (quiet) return { show: () => undefined, finish: () => undefined }
  let last = ''
  const moving = output.rewritable
  return {
    show: ({ object, text }) => {
      const line = printable(object === '' ? text : `${object}: ${text}`)
      if (line === last) return
      last = line
      output.write(moving ? `\r\x1b[2K${line.slice(0, Math.max(1, output.columns - 1))}` : `${line}\n`)
    },
    finish: () => {
      if (moving && last !== '') output.write('\r\x1b[2K')
      last = ''
    },
  }
}
