/** The command line: what may be typed, what it does and how the answer looks. */
export { failureText, type StopSignal, signalExitCode } from './failure.ts'
export { type Invocation, interpret } from './interpret.ts'
export { lostOutput, makeOutput } from './output.ts'
export type { Outcome, World } from './verb.ts'
