/** What fields there are, what tspod does with each, and the walk over a document along them. */
export { checkField } from './check.ts'
export { withDefaults } from './defaults.ts'
export { type ExplainOptions, explain, listKinds } from './explain.ts'
export { entryOf, fieldsOf, itemOf, knownKinds, type TypeCode } from './schema.ts'
export { NOTED_KINDS, PLAYED_KINDS } from './support.ts'
export { support } from './verdicts.ts'
