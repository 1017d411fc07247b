/** How a failure is told: what went wrong, what to do about it, and the exit code. */
import { EXIT_OWN_ERROR, hostTrouble, isTspodError } from '../errors.ts'

const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

export type StopSignal = keyof typeof SIGNAL_NUMBERS

/** Exit code of a program that ended because of a signal: 128 and the signal's number, as a shell reports it. */
export const signalExitCode = (signal: StopSignal): number => 128 + SIGNAL_NUMBERS[signal]

/**
 * The text for standard error and the exit code. An expected failure is `Error: ` and one line, as Podman's, with the
 * remedy below it; several mistakes of one command line or manifest are listed before it. Anything else is a bug of
 * ours and shows where it happened.
 */
export function failureText(failure: unknown): { text: string; exitCode: number } {
  const error = hostTrouble(failure) ?? failure
  if (isTspodError(error)) {
    const listed = error.details === undefined ? '' : `${error.details.trimEnd()}\n`
    return {
      text: `${listed}Error: ${error.message}\n  ${error.remedy.replaceAll('\n', '\n  ')}\n`,
      exitCode: error.exitCode,
    }
  }
  const shown = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return {
    text: `Error: internal error: ${shown}\n  this is a bug in tspod: please report it with the lines above\n`,
    exitCode: EXIT_OWN_ERROR,
  }
}
