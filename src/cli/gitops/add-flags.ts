/** What is wrong with the flags of `tspod gitops add`, and what a newcomer wants to be told of a source at once. */
import { statSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { parseDuration } from '../../duration.ts'
import type { SourceView, SourceWish } from '../../engine/index.ts'
import { sourcePathProblem } from '../../source/index.ts'
import type { Problem } from '../flags.ts'
import { printable } from '../output.ts'

const MIN_INTERVAL_MS = 10_000

type Texts = { readonly [flag: string]: string | boolean | undefined }

/** Flags that say how a repository is fetched; of a directory nothing is. */
const OF_FETCHING = ['branch', 'tag', 'commit', 'ssh-key', 'known-hosts', 'token-file', 'username', 'ca-file'] as const

/** What is wrong with flags that can be told without looking at anything. */
export function addFlagProblems(flags: Texts): Problem[] {
  const problems: Problem[] = []
  if ((flags.dir === undefined) === (flags.git === undefined)) {
    problems.push({ message: 'say where the manifests are: either --dir DIR or --git URL' })
  }
  const refs = (['branch', 'tag', 'commit'] as const).filter(flag => flags[flag] !== undefined)
  if (refs.length > 1) problems.push({ message: `--${refs.join(' and --')} exclude each other` })
  const fetching = OF_FETCHING.find(flag => flags[flag] !== undefined)
  if (fetching !== undefined && flags.git === undefined) problems.push({ message: `--${fetching} needs --git` })
  return [...problems, ...pathProblems(flags), ...timeProblems(flags)]
}

const textOf = (value: string | boolean | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

function pathProblems(flags: Texts): Problem[] {
  const problems: Problem[] = []
  const wrong = (flag: string, why: string, remedy: string): void =>
    void problems.push({
      message: `invalid argument "${printable(textOf(flags[flag]) ?? '')}" for "--${flag}" flag: ${why}`,
      remedy,
    })
  for (const flag of ['notify', 'metrics'] as const) {
    const path = textOf(flags[flag])
    if (path !== undefined && !isAbsolute(path))
      wrong(flag, 'not an absolute path', 'write it from / on: it is used by the timer as well')
  }
  const metrics = textOf(flags.metrics)
  if (metrics !== undefined && !/[^/]\.prom$/.test(metrics))
    wrong(
      'metrics',
      'it does not end in .prom',
      'the textfile collector reads no other files: write for example tspod.prom',
    )
  const path = textOf(flags.path)
  const why = path === undefined ? undefined : sourcePathProblem(path)
  if (why !== undefined) wrong('path', `it ${why}`, 'name a directory inside the source, for example apps/web')
  return problems
}

function timeProblems(flags: Texts): Problem[] {
  const limits = { interval: { ms: MIN_INTERVAL_MS, text: '10s' }, timeout: { ms: 1000, text: '1s' } }
  return (['interval', 'timeout'] as const).flatMap(flag => {
    const text = textOf(flags[flag])
    const ms = text === undefined ? undefined : parseDuration(text)
    if (text === undefined || (ms !== undefined && ms >= limits[flag].ms)) return []
    const message = `invalid argument "${text}" for "--${flag}" flag: write a time of at least ${limits[flag].text}`
    return [{ message, remedy: 'for example 90s or 5m' }]
  })
}

/** What may well be a mistake, and need not be one: files that come later, and a second source of the same place. */
export function addWarnings(wish: SourceWish, others: readonly SourceView[]): string[] {
  const { credentials = {}, vars, verify } = wish
  const { sshKeyFile, knownHostsFile, tokenFile, caFile, ageKeyFile } = credentials
  const files = { sshKeyFile, knownHostsFile, tokenFile, caFile, ageKeyFile, vars, verify }
  const missing = Object.values(files).filter(file => file !== undefined && !isFile(file))
  const twin = others.find(other => other.name !== wish.name && placeOf(other) === placeOf(wish))
  return [
    ...missing.map(
      file => `warning: there is no file ${printable(file ?? '')}: nothing can be read until it is there\n`,
    ),
    ...(twin === undefined
      ? []
      : [
          `warning: ${twin.name} is a source of the same manifests: what one of the two has applied, the other cannot have\n`,
        ]),
  ]
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true

/** Where manifests are; of a directory whatever it is taken for. */
const placeOf = ({ from, path = '', vars = '' }: SourceWish): string =>
  JSON.stringify([from.kind === 'git' ? [from.url, from.ref] : from.dir, path, vars])
