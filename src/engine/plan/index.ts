export { type Execution, type Executors, execute, type StepFailure } from './execute.ts'
export { planPod } from './plan.ts'
export { judgeExit, policyFor, type Verdict } from './restart.ts'
export type { Observed, Plan, PlanInput, PlannedContainer, SandboxState, Step } from './steps.ts'
