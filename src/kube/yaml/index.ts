/** YAML as Kubernetes reads it: text to fields with places, and the mistakes in it. */
export { type DocumentContext, emptyRecord, Field, firstKey, Notes, quotedPlace } from './field.ts'
export {
  collecting,
  didYouMean,
  either,
  type FieldValidation,
  type IssueCode,
  Issues,
  type Mistake,
  mistakesOf,
  printable,
  quote,
  renderIssues,
  SourceFile,
} from './issue.ts'
export {
  configKeyProblem,
  envNameProblem,
  isIp,
  labelProblem,
  labelValueProblem,
  parseImage,
  portNameProblem,
  qualifiedProblem,
  subdomainProblem,
} from './names.ts'
export { pathProblem, textProblem, tidyPath } from './path.ts'
export { divideUp, parseQuantity, toMilli, toUnits } from './quantity.ts'
export { readDocuments, type YamlNode } from './read.ts'
export { asBoolean, asInteger, asQuantityText, asString, isDoubtfulWord, kindOf } from './scalar.ts'
export { rememberTrees, type TreeMemory } from './trees.ts'
