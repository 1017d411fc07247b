/** What a wrong name may have been meant to be. */
import { closest } from '../../words.ts'

/** `did you mean X?`, or `otherwise` when nothing known comes near; upper and lower case do not matter. */
export function didYouMean(word: string, known: readonly string[], otherwise: string): string {
  const folded = known.find(one => one.toLowerCase() === word.toLowerCase())
  const near = folded ?? closest(word, known)
  return near === undefined ? otherwise : `did you mean ${near}?\n${otherwise}`
}
