/** `tspod version`. */
import { arch, platform } from 'node:os'
import { versions } from 'node:process'
import { VERSION } from '../version.ts'
import type { FlagTable } from './flags.ts'
import { json } from './table.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  format: {
    kind: 'choice',
    choices: ['text', 'json'],
    short: 'f',
    help: 'lines for people or one JSON object for scripts',
  },
} as const satisfies FlagTable

export const version = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description: 'Shows the version of tspod and of the Node it runs on. `tspod info` shows the other programs.',
  examples: [
    { does: 'For people', line: 'tspod version' },
    { does: 'For scripts', line: 'tspod version --format json' },
  ],
  flags: FLAGS,
  anyUser: true,
  async run({ flags }) {
    const facts = { version: VERSION, node: versions.node, platform: `${platform()}/${arch()}` }
    if (flags.format === 'json') return { stdout: json(facts) }
    return { stdout: `Version:  ${facts.version}\nNode:     ${facts.node}\nOS/Arch:  ${facts.platform}\n` }
  },
})
