/** Names and numbers of signals, as people write them. */
import { constants } from 'node:os'

/** `SIGHUP`, `hup` or `1` as Node names it; undefined for what is no signal of this system. */
export function signalNamed(text: string): NodeJS.Signals | undefined {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][]
  if (/^\d+$/.test(text)) return names.find(([, number]) => number === Number(text))?.[0]
  const wanted = `SIG${text.toUpperCase().replace(/^SIG/, '')}`
  return names.find(([name]) => name === wanted)?.[0]
}
