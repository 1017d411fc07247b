/** Runs the steps of a plan: each as soon as what it waits for has ended well, independent ones at once. */
import type { Step } from './steps.ts'

/** One function per kind of step: a kind without one does not compile. */
export type Executors = { [K in Step['do']]: (step: Extract<Step, { do: K }>) => Promise<void> }

export type StepFailure = { step: Step; error: unknown }

export type Execution = {
  failures: StepFailure[]
  /** Steps that never ran because something they wait for failed. */
  skipped: Step[]
}

/** Executes all steps. A failure skips what depends on it and nothing else. */
export async function execute(steps: readonly Step[], executors: Executors): Promise<Execution> {
  const failures: StepFailure[] = []
  const skipped: Step[] = []
  const outcomes = new Map<string, Promise<boolean>>()
  const outcomeOf = (step: Step, id: string): Promise<boolean> => {
    const outcome = outcomes.get(id)
    if (outcome === undefined) throw new Error(`step ${step.id} waits for ${id}, which is no earlier step`)
    return outcome
  }
  const runOne = async (step: Step): Promise<boolean> => {
    const needed = await Promise.all(step.after.map(id => outcomeOf(step, id)))
    await Promise.all(step.order.map(id => outcomeOf(step, id)))
    if (needed.includes(false)) {
      skipped.push(step)
      return false
    }
    try {
      await (executors[step.do] as (step: Step) => Promise<void>)(step)
      return true
    } catch (error) {
      failures.push({ step, error })
      return false
    }
  }
  for (const step of steps) outcomes.set(step.id, runOne(step))
  await Promise.all(outcomes.values())
  return { failures, skipped }
}
