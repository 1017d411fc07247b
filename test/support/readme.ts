/** Blocks of the README, which tests run as a reader would. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')

/** The first block of that language after the heading, or the last one of its chapter. */
export function block(heading: string, language: string, which: 'first' | 'last' = 'first'): string {
  const [chapter = ''] = README.slice(README.indexOf(`## ${heading}\n`) + 3).split(/^## /m)
  const found = [...chapter.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(match => match[1] ?? '')
  const text = found.at(which === 'first' ? 0 : -1)
  if (text === undefined) throw new Error(`the README has no ${language} in "${heading}"`)
  return text
}
