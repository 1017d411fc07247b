export { remove, resume, rollback, suspend } from './act.ts'
export { add } from './add.ts'
export { diff, history, list, status } from './look.ts'
export { reconcile } from './reconcile.ts'
