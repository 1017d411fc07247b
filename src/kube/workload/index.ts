/** What makes pods, and what leads to them: kinds with templates, Jobs, Services. */
export { readService, type Service } from './service.ts'
export { applyServices } from './services.ts'
export { type ClaimPrefix, claimPrefixes } from './stateful.ts'
export { isReplicated, makesPods, podNames, readWorkload } from './workload.ts'
