/** `tspod gitops suspend`, `resume`, `rollback` and `remove`. */
import { EXIT_OWN_ERROR, TspodError } from '../../errors.ts'
import type { FlagTable, Problem } from '../flags.ts'
import { printable } from '../output.ts'
import { parseSince } from '../since.ts'
import { defineVerb } from '../verb.ts'
import { authorOf, FORMAT_FLAG, gitopsOf, teller } from './common.ts'
import { runOutcome } from './reconcile.ts'
import { unwatchSource, wakeSource } from './watch.ts'

const SUSPEND_FLAGS = {
  reason: { kind: 'text', value: 'TEXT', help: 'why, for everybody who will ask' },
  until: { kind: 'text', value: 'TIME', help: 'when it ends by itself: +2h, 2026-12-24, or RFC 3339' },
} as const satisfies FlagTable

export const suspend = defineVerb({
  operands: 'NAME [OBJECT...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Nothing is reconciled until `tspod gitops resume`, or until the time given: what runs goes on as it is, and what ' +
    'somebody changes by hand stays changed. With objects, such as pod/web, these alone are left alone and the rest ' +
    'goes on. Who has suspended what, and why, stands in `tspod gitops status`.',
  examples: [
    {
      does: 'For the length of an incident',
      line: 'tspod gitops suspend shop --reason incident-7 --until +2h',
    },
    { does: 'One pod alone', line: "tspod gitops suspend shop pod/db --reason 'somebody looks into it'" },
  ],
  flags: SUSPEND_FLAGS,
  check: ({ flags: { until }, operands: [, ...objects] }) => [
    ...objectProblems(objects),
    ...(until === undefined || parseSince(until, 0) !== undefined
      ? []
      : [
          {
            message: `invalid argument "${until}" for "--until" flag: no time`,
            remedy: 'write +2h, or 2026-12-24T18:00:00Z',
          },
        ]),
  ],
  async run({ flags, operands: [name = '', ...objects] }, world) {
    const untilMs = flags.until === undefined ? undefined : timeAhead(flags.until, world.clock.nowMs())
    if (untilMs !== undefined && untilMs <= world.clock.nowMs()) {
      throw new TspodError('USAGE', `--until ${printable(flags.until ?? '')} has passed: nothing would be suspended`, {
        remedy: 'write a time to come: +2h, or 2026-12-24T18:00:00Z; `tspod gitops resume` ends a suspension',
      })
    }
    const suspension = {
      reason: printable(flags.reason ?? 'no reason given'),
      author: authorOf(world),
      ...(untilMs !== undefined && { untilMs }),
    }
    const endMs = await (await gitopsOf(world)).suspend(name, suspension, objects.map(objectOf))
    const warning = await wakeSource(name, endMs, world)
    return { stdout: `${[name, ...objects].join(' ')}\n`, stderr: warning }
  },
})

const OBJECT = /^[A-Za-z]+\/[^/\s]+$/

const objectProblems = (objects: readonly string[]): Problem[] =>
  objects
    .filter(object => !OBJECT.test(object))
    .map(object => ({ message: `"${printable(object)}" is no object`, remedy: 'write KIND/NAME, for example pod/web' }))

/** `Pod/web` is `pod/web`. */
const objectOf = (text: string): string => text.replace(/^[A-Za-z]+/, kind => kind.toLowerCase())

/** An end lies ahead: `2h` means what `+2h` does. */
const timeAhead = (text: string, nowMs: number): number | undefined =>
  parseSince(/^\d[\dhmsd.]*[hmsd]$/.test(text) ? `+${text}` : text, nowMs)

export const resume = defineVerb({
  operands: 'NAME [OBJECT...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Ends the suspension of a source, or of the objects that are named. The next reconcile, which may be the one of ' +
    'the timer, brings it to its newest revision.',
  examples: [
    { does: 'Go on', line: 'tspod gitops resume shop' },
    { does: 'With that pod, too', line: 'tspod gitops resume shop pod/db' },
  ],
  flags: {},
  check: ({ operands: [, ...objects] }) => objectProblems(objects),
  async run({ operands: [name = '', ...objects] }, world) {
    const endMs = await (await gitopsOf(world)).resume(name, objects.map(objectOf))
    const warning = await wakeSource(name, endMs, world)
    return { stdout: `${[name, ...objects].join(' ')}\n`, stderr: warning }
  },
})

const ROLLBACK_FLAGS = {
  to: {
    kind: 'text',
    value: 'REVISION',
    help: 'one of the last ten that were applied, or the beginning of its commit',
  },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'show no progress' },
  ...FORMAT_FLAG,
} as const satisfies FlagTable

export const rollback = defineVerb({
  operands: 'NAME',
  count: { minimum: 1, maximum: 1 },
  description:
    'Applies what was applied before: the manifests of that revision, with the images that their names stood for then. ' +
    'The source is suspended, so that the next reconcile does not undo it; `tspod gitops resume` ' +
    'goes forward again.',
  examples: [
    { does: 'To the one before', line: 'tspod gitops rollback shop' },
    { does: 'To one of `tspod gitops history`', line: 'tspod gitops rollback shop --to 3f1c9a7' },
  ],
  flags: ROLLBACK_FLAGS,
  async run({ flags, operands: [name = ''] }, world) {
    const { told, finish } = await teller(world, flags.quiet)
    try {
      const run = await (await gitopsOf(world)).rollback(name, flags.to, authorOf(world), told, world.signal)
      return runOutcome(run, flags.format)
    } finally {
      await finish()
    }
  },
})

const REMOVE_FLAGS = {
  orphan: { kind: 'switch', initial: false, help: 'leave what runs alone (the default)' },
  prune: { kind: 'switch', initial: false, help: 'stop and remove all that it has applied; volumes stay' },
} as const satisfies FlagTable

export const remove = defineVerb({
  operands: 'NAME',
  count: { minimum: 1, maximum: 1 },
  description:
    'Removes a source, with its history and its units. What it has applied stays and is an app like any other ' +
    '(`tspod apps`, `tspod down NAME`), unless --prune is given.',
  examples: [
    { does: 'Leave what runs to itself', line: 'tspod gitops remove shop' },
    { does: 'With everything', line: 'tspod gitops remove shop --prune' },
  ],
  flags: REMOVE_FLAGS,
  check: ({ flags }) => (flags.orphan && flags.prune ? [{ message: '--orphan and --prune exclude each other' }] : []),
  async run({ flags, operands: [name = ''] }, world) {
    const gitops = await gitopsOf(world)
    await gitops.history(name, 1)
    const warning = await unwatchSource(name, world)
    const told = (text: string): void => void world.err.write(`${text}\n`)
    const { failures } = await gitops.remove(name, { prune: flags.prune }, told, world.signal)
    if (failures.length === 0) return { stdout: `${name}\n`, stderr: warning }
    const lines = [
      ...failures.map(printable),
      `Error: ${name} stays, since not all of it could be removed`,
      '  run the same command again',
    ]
    return { stderr: `${warning}${lines.join('\n')}\n`, exitCode: EXIT_OWN_ERROR }
  },
})
