import type { Command, Finished, Run } from '../../../../src/process.ts'

/** A runner that records what it was asked and answers from a table by the verb. */
export function recorder(answer: (argv: readonly string[]) => Partial<Finished>): Run & { calls: string[][] } {
  const calls: string[][] = []
  const runner = async (command: Command): Promise<Finished> => {
    calls.push([...command.argv])
    return { argv: command.argv, exitCode: 0, stdout: '', stderr: '', ...answer(command.argv) }
  }
  return Object.assign(runner, { calls })
}
