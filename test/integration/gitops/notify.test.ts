/** Who is told of a source: a program that is run when there is news, and a file that Prometheus reads. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { appText, type Sources, sourcesOn } from '../../support/gitops.ts'
import type { Place } from '../../support/place.ts'
import { readyCell, succeeds, tspod } from '../../support/tspod.ts'

let cell: Place
let sources: Sources
beforeAll(async () => {
  cell = await readyCell()
  sources = sourcesOn(cell)
}, 60_000)
afterAll(() => cell?.remove())

const FOLDER = '/tmp/telling'
const PROGRAM = `${FOLDER}/notifier`
const METRICS = `${FOLDER}/tspod-shop.prom`

/** A program that keeps what it is given: the document in a line, and its environment. */
const KEEPS = `#!/bin/sh
cat >>${FOLDER}/told
env >${FOLDER}/environment
`
const program = async (text: string, mode = '755'): Promise<void> => {
  await sources.write(PROGRAM, text)
  await sources.sh(`chmod ${mode} ${PROGRAM}`)
}

type Message = { event: string; source: string; host: string; text: string; revision?: string; remedy?: string }
/** What was told since the last time. */
const told = async (): Promise<Message[]> => {
  const lines = await sources.sh(`cat ${FOLDER}/told 2>/dev/null; rm -f ${FOLDER}/told`)
  return lines
    .trim()
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Message)
}
const events = async (): Promise<string[]> => (await told()).map(({ event }) => event)

/** What is wrong stands in the line of a value that nobody is to see. */
const SECRET = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2, list: [hunter2]}\n'
const broken = (text: string): string => text.replace('containers', 'contianers')

beforeEach(async () => {
  await tspod(cell, ['gitops', 'remove', '--prune', 'shop'])
  await sources.clear()
  await sources.sh(`rm -rf ${FOLDER}; mkdir ${FOLDER}`)
  await program(KEEPS)
  await sources.repository('shop', { 'web.yaml': appText('web') })
})

describe('a program', () => {
  test('is told of each failure once, of the recovery, and of what was applied and repaired', async () => {
    await sources.add('shop', '--notify', PROGRAM)
    await sources.reconcile('shop')
    expect(await events()).toEqual(['applied'])

    const bad = await sources.commit('shop', { 'web.yaml': broken(appText('web')) })
    // Two at once: the second waits for the first, and knows what that has told.
    const ticks = [...(await Promise.all([sources.tick('shop'), sources.tick('shop')])), await sources.tick('shop')]
    expect(ticks.map(({ exitCode }) => exitCode)).toEqual([1, 1, 1])
    const [failing, ...more] = await told()
    expect(more).toEqual([])
    const host = (await sources.sh('hostname')).trim()
    expect(failing).toMatchObject({
      source: 'shop',
      host,
      event: 'failing',
      revision: bad,
      code: 'MANIFEST_INVALID',
      details: expect.stringContaining('contianers'),
      text: expect.stringMatching(`^shop on ${host} is failing at ${bad.slice(0, 12)}: .*web\\.yaml`),
    })

    await sources.commit('shop', { 'web.yaml': undefined, 'secret.yaml': SECRET })
    for (let tick = 0; tick < 2; tick++) await sources.tick('shop')
    const another = await told()
    expect(another).toMatchObject([{ event: 'failing', code: 'MANIFEST_INVALID' }])
    expect(JSON.stringify(another)).not.toContain('hunter2')

    const good = await sources.commit('shop', { 'web.yaml': appText('web'), 'secret.yaml': undefined })
    for (let tick = 0; tick < 2; tick++) expect((await sources.tick('shop')).exitCode).toBe(0)
    expect(await told()).toMatchObject([{ event: 'recovered', revision: good }])

    await succeeds(cell, ['pod', 'stop', 'web'])
    for (let tick = 0; tick < 2; tick++) await sources.tick('shop')
    expect(await events()).toEqual(['drift corrected'])
    await sources.commit('shop', { 'db.yaml': appText('db') })
    await sources.tick('shop')
    await succeeds(cell, ['gitops', 'rollback', 'shop'])
    expect(await events()).toEqual(['applied', 'rolled back'])
  })

  test('is told of drift of a source that is only observed, when it begins', async () => {
    await sources.add('shop', '--observe', '--notify', PROGRAM)
    for (let tick = 0; tick < 3; tick++) await sources.tick('shop')
    expect(await events()).toEqual(['drift observed'])
  })

  test('has the news in its environment, and nothing else of ours', async () => {
    await sources.add('shop', '--notify', PROGRAM)
    await sources.reconcile('shop')
    const [{ text, revision } = { text: '', revision: '' }] = await told()
    const lines = (await sources.sh(`cat ${FOLDER}/environment`)).trim().split('\n')
    const own = lines.filter(line => !/^(PATH|PWD|SHLVL|_|OLDPWD)=/.test(line))
    expect(own.sort()).toEqual([
      'TSPOD_EVENT=applied',
      `TSPOD_REVISION=${revision}`,
      'TSPOD_SOURCE=shop',
      `TSPOD_TEXT=${text}`,
    ])
  })

  const RUNS = `#!/bin/sh\n: >${FOLDER}/ran\n`
  test.each([
    ['fails', `${RUNS}echo no route to chat >&2; exit 3\n`, '755', true, /has ended with 3: no route to chat/],
    ['hangs', `${RUNS}sleep 4321\n`, '755', true, /did not finish within 10 s and was killed/],
    ['reads nothing', RUNS, '755', true, undefined],
    ['can be written by others', RUNS, '757', false, /can be changed by others than root, so .* is not run as root/],
    ['is not executable any more', RUNS, '644', false, /is no executable file/],
  ])('that %s keeps nothing from being done', async (_, text, mode, isRun, warning) => {
    await sources.add('shop', '--notify', PROGRAM)
    await program(text, mode)
    const { exitCode, stderr, run } = await sources.reconcile('shop')
    expect({ exitCode, outcome: run.outcome }).toEqual({ exitCode: 0, outcome: 'applied' })
    const warnings = stderr.split('\n').filter(line => line.startsWith('warning: '))
    expect(warnings).toEqual(warning === undefined ? [] : [expect.stringMatching(warning)])
    expect((await cell.sh(`test -e ${FOLDER}/ran`)).exitCode === 0).toBe(isRun)
    expect(await sources.status('shop')).toMatchObject({ status: 'Ready', applied: { revision: run.revision } })
    expect((await cell.sh('pgrep -xf "sleep 4321"')).stdout).toBe('')
  })
})

/** The sample of one family that the file has. */
const sample = async (family: string): Promise<number> => {
  const line = (await sources.sh(`cat ${METRICS}`)).split('\n').find(each => each.startsWith(`tspod_gitops_${family}{`))
  return Number(line?.split(' ').at(-1) ?? Number.NaN)
}
const samples = async (...families: string[]): Promise<number[]> => Promise.all(families.map(sample))

describe('a file of metrics', () => {
  test('tells how the source stands after each reconcile, and goes with it', async () => {
    await sources.add('shop', '--metrics', METRICS)
    const standing = () => samples('up_to_date', 'failures', 'suspended', 'objects')
    expect(await standing()).toEqual([0, 0, 0, 0])
    await sources.reconcile('shop')
    expect(await standing()).toEqual([1, 0, 0, 1])
    expect(await sources.sh(`stat -c '%a %U' ${METRICS}`)).toBe('644 root\n')
    const nowSeconds = Number(await sources.sh('date +%s'))
    for (const at of await samples('last_reconcile_timestamp_seconds', 'last_applied_timestamp_seconds'))
      expect(Math.abs(nowSeconds - at)).toBeLessThan(60)
    expect(await sample('last_run_duration_seconds')).toBeGreaterThan(0)

    await sources.commit('shop', { 'web.yaml': broken(appText('web')) })
    for (let tick = 0; tick < 2; tick++) await sources.tick('shop')
    expect(await standing()).toEqual([0, 2, 0, 1])
    await succeeds(cell, ['gitops', 'suspend', 'shop'])
    expect(await standing()).toEqual([0, 2, 1, 1])
    await sources.sh(`rm ${METRICS}`)
    await sources.tick('shop')
    expect(await standing()).toEqual([0, 2, 1, 1])
    await succeeds(cell, ['gitops', 'resume', 'shop'])
    await sources.commit('shop', { 'web.yaml': appText('web') })
    await sources.tick('shop')
    expect(await standing()).toEqual([1, 0, 0, 1])
    expect(await succeeds(cell, ['gitops', 'metrics'])).toBe(await sources.sh(`cat ${METRICS}`))
    expect(await sources.sh(`ls ${FOLDER}`)).toBe('notifier\ntspod-shop.prom\n')
    await succeeds(cell, ['gitops', 'remove', 'shop'])
    expect(await sources.sh(`ls ${FOLDER}`)).toBe('notifier\n')
  })

  test('replaces a link that somebody has put there, and not what it leads to', async () => {
    await sources.add('shop', '--metrics', METRICS)
    await sources.sh(`echo precious >${FOLDER}/other && ln -sf other ${METRICS}`)
    await sources.reconcile('shop')
    expect(await sources.sh(`cat ${FOLDER}/other; stat -c %F ${METRICS}`)).toBe('precious\nregular file\n')
  })

  test.each([
    ['is gone', `rm -r ${FOLDER}`, /the directory of .* is not there/],
    ['is a link by now', `mv ${FOLDER} ${FOLDER}2; ln -s ${FOLDER}2 ${FOLDER}`, /telling is a symbolic link/],
  ])('whose directory %s is a warning', async (_, line, warning) => {
    await sources.add('shop', '--metrics', METRICS)
    await sources.sh(line)
    const { exitCode, stderr, run } = await sources.reconcile('shop')
    expect({ exitCode, outcome: run.outcome }).toEqual({ exitCode: 0, outcome: 'applied' })
    expect(stderr).toMatch(new RegExp(`^warning: ${METRICS} is not written: .*${warning.source}`, 'm'))
    await sources.sh(`rm -rf ${FOLDER} ${FOLDER}2`)
  })
})

describe('add refuses', () => {
  const cases: [string, string[], string, string][] = [
    ['a program that is not there', ['--notify', `${FOLDER}/none`], 'true', 'there is no program'],
    ['a directory as program', ['--notify', FOLDER], 'true', 'is no executable file'],
    ['a program that is not executable', ['--notify', PROGRAM], `chmod 644 ${PROGRAM}`, 'is no executable file'],
    ['a program of others', ['--notify', PROGRAM], `chown 1000 ${PROGRAM}`, 'can be changed by others than root'],
    ['one that the group can write', ['--notify', PROGRAM], `chmod 775 ${PROGRAM}`, 'can be changed by others'],
    ['metrics without a directory', ['--metrics', '/tmp/none/x.prom'], 'true', 'is not there\n  make it (mkdir -p'],
    ['a directory as metrics', ['--metrics', METRICS], `mkdir ${METRICS}`, 'is no regular file'],
  ]
  test.each(cases)('%s', async (_, flags, prepare, message) => {
    await sources.sh(prepare)
    const finished = await tspod(cell, ['gitops', 'add', 'shop', '--dir', `${sources.folder}/shop`, ...flags])
    expect(finished.exitCode).toBe(125)
    expect(finished.stderr).toContain(message)
    expect(await succeeds(cell, ['gitops', 'list', '--format', 'json'])).toBe('[]\n')
  })

  test('the file of another source', async () => {
    await sources.add('shop', '--metrics', METRICS)
    await sources.repository('blog', { 'a.yaml': appText('a') })
    const dir = `${sources.folder}/blog`
    const { stderr } = await tspod(cell, ['gitops', 'add', 'blog', '--dir', dir, '--metrics', METRICS])
    expect(stderr).toContain(`${METRICS} is the file of metrics of shop`)
  })
})
