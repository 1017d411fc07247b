/** GitOps sources in tests: repositories on disk, commits, reconciles, and which pods run. */
import type { Finished } from '../../src/process.ts'
import type { Place } from './place.ts'
import { containers, specText, succeeds, takeDownAll, tspod, WAIT_COMMAND } from './tspod.ts'

/** The part of a run's JSON that tests look at. */
export type Run = {
  outcome: string
  reason: string
  revision?: string
  failure?: { stage: string; code: string; message: string; details?: string }
  results?: { name: string; outcome: string }[]
}

export type Reconciled = { exitCode: number; stderr: string; run: Run }

/** A pod whose environment says `value`: another value is another pod. */
export const appText = (name: string, value = 'one', more: object = {}, metadata: object = {}): string => {
  const container = {
    name: 'app',
    image: 'localhost/tspod-demo:latest',
    command: ['sh', '-c', WAIT_COMMAND],
    env: [{ name: 'VALUE', value }],
    ...more,
  }
  return specText(name, { terminationGracePeriodSeconds: 2, containers: [container] }, metadata)
}

export type Sources = ReturnType<typeof sourcesOn>

/** Sources of one place; repositories are below `folder`. */
export function sourcesOn(place: Place, folder = '/tmp/sources') {
  const sh = async (line: string, input?: string): Promise<string> => {
    const finished = await place.sh(line, input === undefined ? {} : { input })
    if (finished.exitCode !== 0) throw new Error(`${line}: ${finished.stderr}`)
    return finished.stdout
  }
  const write = (path: string, text: string): Promise<string> =>
    sh(`mkdir -p "$(dirname ${path})" && cat >${path}`, text)
  const git = (name: string, line: string): Promise<string> =>
    sh(`cd ${folder}/${name} && git -c user.name=test -c user.email=test@example.org ${line}`)
  const commit = async (
    name: string,
    files: Record<string, string | undefined>,
    message = 'change',
  ): Promise<string> => {
    for (const [file, text] of Object.entries(files)) {
      if (text === undefined) await git(name, `rm -q ${file}`)
      else await write(`${folder}/${name}/${file}`, text)
    }
    await git(name, 'add -A')
    await git(name, `commit -q --allow-empty -m '${message}'`)
    return (await git(name, 'rev-parse HEAD')).trim()
  }
  return {
    folder,
    sh,
    write,
    git,
    commit,
    /** A repository with a first commit. */
    async repository(name: string, files: Record<string, string>): Promise<void> {
      await sh(`rm -rf ${folder}/${name}; git init -q -b main ${folder}/${name}`)
      await commit(name, files, 'first')
    },
    add: (name: string, ...flags: string[]): Promise<string> =>
      succeeds(place, ['gitops', 'add', name, '--dir', `${folder}/${name}`, '--watch=false', ...flags]),
    async reconcile(name: string, ...flags: string[]): Promise<Reconciled> {
      const { exitCode, stdout, stderr } = await tspod(place, [
        'gitops',
        'reconcile',
        '--format',
        'json',
        ...flags,
        name,
      ])
      const [run] = stdout === '' ? [] : (JSON.parse(stdout) as Run[])
      return { exitCode, stderr, run: run ?? { outcome: 'none', reason: stderr } }
    },
    /** The same without insisting, as a timer calls it. */
    tick: (name: string): Promise<Finished> => tspod(place, ['gitops', 'reconcile', '--quiet', name]),
    async status(name: string): Promise<{ status: string; applied: { revision: string } | null; failure: unknown }> {
      const { stdout } = await tspod(place, ['gitops', 'status', '--format', 'json', name])
      return JSON.parse(stdout)[0]
    },
    /** Pods that run with the process that each of them is: the same process has not been restarted. */
    async running(): Promise<Record<string, number | undefined>> {
      const rows = (await containers(place)).filter(({ state }) => state === 'running')
      return Object.fromEntries(rows.map(({ pod, pid }) => [pod, pid]))
    },
    /** Takes away every source with all that runs. */
    async clear(): Promise<void> {
      const names = (
        JSON.parse(await succeeds(place, ['gitops', 'list', '--format', 'json'])) as { name: string }[]
      ).map(({ name }) => name)
      for (const name of names) await succeeds(place, ['gitops', 'remove', name])
      await takeDownAll(place)
      await sh(`rm -rf ${folder}`)
    },
  }
}
