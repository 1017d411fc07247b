/**
 * What may happen to a source: after each disaster all that ran runs on, untouched, its reason is told, and the next
 * good commit heals.
 */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { Finished } from '../../../src/process.ts'
import type { Place } from '../../support/place.ts'
import { Repository } from '../../support/repository.ts'
import { containers, podText, readyCell, succeeds, tspod } from '../../support/tspod.ts'

/** In sight of the cell, which has a /tmp of its own. */
const AREA = '/var/tmp'

let cell: Place
let area: string
let app: Repository
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterAll(() => cell?.remove())
beforeEach(() => {
  area = fs.mkdtempSync(join(AREA, 'tspod-gitops-'))
  fs.chmodSync(area, 0o755)
  app = new Repository(at('app'))
  app.commit({ 'one.yaml': podText('one'), 'two.yaml': podText('two') })
})
afterEach(async () => {
  await tspod(cell, ['gitops', 'remove', 'shop', '--prune'])
  fs.rmSync(area, { recursive: true, force: true })
})

const at = (path: string): string => join(area, path)
const add = async (...source: string[]): Promise<void> => {
  await succeeds(cell, ['gitops', 'add', 'shop', '--watch=false', '--timeout=60s', ...source])
  await succeeds(cell, ['gitops', 'reconcile', 'shop'])
}
const reconcile = (): Promise<Finished> => tspod(cell, ['gitops', 'reconcile', 'shop'])
/** The containers that run, by the names of their pods: others after a restart. */
const running = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await containers(cell))
      .filter(({ state }) => state === 'running')
      .map(({ pod, id, pid }) => [pod, `${id} ${pid}`]),
  )
type Status = { status: string; applied?: { revision: string }; failure?: { code: string; message: string } }
const status = async (): Promise<Status> => {
  const { stdout } = await tspod(cell, ['gitops', 'status', 'shop', '--format', 'json'])
  const parsed = JSON.parse(stdout) as Status | Status[]
  return Array.isArray(parsed) ? parsed[0]! : parsed
}

/** Reconciles, which must fail with that code, say so, and touch nothing. */
async function failsWith(code: string, before: Record<string, string>): Promise<string> {
  const finished = await reconcile()
  expect([finished.exitCode === 0, finished.stdout + finished.stderr]).toEqual([false, expect.any(String)])
  const now = await status()
  expect(now).toMatchObject({ status: 'Failing', failure: { code } })
  expect(await running()).toEqual(before)
  return now.failure?.message ?? ''
}

/** Reconciles, which must succeed; answers what runs. */
async function heals(): Promise<Record<string, string>> {
  const finished = await reconcile()
  expect([finished.exitCode, finished.stdout + finished.stderr]).toEqual([0, expect.any(String)])
  expect(await status()).toMatchObject({ status: expect.stringMatching(/Ready|Progressing/) })
  return running()
}

type Disaster = {
  strike(): unknown
  code: string
  says: RegExp
  mend(): unknown
}

const inCell = async (line: string): Promise<void> => {
  const { exitCode, stderr } = await cell.sh(line)
  if (exitCode !== 0) throw new Error(stderr)
}
/** Adds a pod: the next good commit. */
const commitThree = (): string => app.commit({ 'three.yaml': podText('three') })

describe('a checkout', () => {
  const disasters: Record<string, Disaster> = {
    'its .git is deleted, and its files stay': {
      strike: () => fs.renameSync(at('app/.git'), at('gone')),
      code: 'SOURCE_VANISHED',
      says: /no \.git/,
      mend: () => fs.renameSync(at('gone'), at('app/.git')),
    },
    'the directory is unmounted, and an empty one shows': {
      strike: () => inCell(`mount -t tmpfs none ${at('app')}`),
      code: 'SOURCE_VANISHED',
      says: /no \.git/,
      mend: () => inCell(`umount ${at('app')}`),
    },
    'the directory is gone': {
      strike: () => fs.renameSync(at('app'), at('elsewhere')),
      code: 'SOURCE_VANISHED',
      says: /not there/,
      mend: () => fs.renameSync(at('elsewhere'), at('app')),
    },
    'everything is deleted in a commit': {
      strike: () => {
        app.git('rm', '--quiet', '*.yaml')
        app.commit({})
      },
      code: 'SOURCE_EMPTY',
      says: /no manifest/,
      mend: () => app.git('revert', '--no-edit', 'HEAD'),
    },
    'a rebase has stopped in the middle': {
      strike: () => {
        app.git('checkout', '--quiet', '-b', 'side')
        app.commit({ 'one.yaml': '# side\n' })
        app.git('checkout', '--quiet', 'main')
        app.commit({ 'one.yaml': '# main\n' })
        app.git('checkout', '--quiet', 'side')
        expect(() => app.git('rebase', 'main')).toThrow()
      },
      code: 'SOURCE_UNSTABLE',
      says: /rebase/,
      mend: () => {
        app.git('rebase', '--abort')
        app.git('checkout', '--quiet', '-B', 'main', 'main~1')
      },
    },
    'its branch is half written': {
      strike: () => {
        fs.copyFileSync(at('app/.git/refs/heads/main'), at('ref'))
        fs.truncateSync(at('app/.git/refs/heads/main'), 20)
      },
      code: 'SOURCE_UNSTABLE',
      says: /half written/,
      mend: () => fs.copyFileSync(at('ref'), at('app/.git/refs/heads/main')),
    },
    'a manifest becomes a link to a file of the host': {
      strike: () => {
        fs.rmSync(at('app/two.yaml'))
        fs.symlinkSync('/etc/shadow', at('app/two.yaml'))
        app.commit({})
      },
      code: 'SOURCE_HOSTILE',
      says: /two\.yaml/,
      mend: () => {
        fs.rmSync(at('app/two.yaml'))
        app.commit({ 'two.yaml': podText('two') })
      },
    },
  }

  test.each(Object.entries(disasters))('%s', async (_, { strike, code, says, mend }) => {
    await add('--dir', at('app'))
    const before = await running()
    expect(Object.keys(before).sort()).toEqual(['one', 'two'])
    await strike()
    try {
      expect(await failsWith(code, before)).toMatch(says)
      // The same once more changes nothing either.
      await failsWith(code, before)
    } finally {
      await mend()
    }
    commitThree()
    expect(await heals()).toEqual({ ...before, three: expect.any(String) })
  })

  test('an empty commit is a new revision, and nothing restarts', async () => {
    await add('--dir', at('app'))
    const before = await running()
    const revision = app.commit({})
    expect(await heals()).toEqual(before)
    expect((await status()).applied?.revision).toBe(revision)
  })

  test('a working tree that nobody has committed does not count', async () => {
    await add('--dir', at('app'))
    const before = await running()
    app.write('one.yaml', podText('one', { script: 'sleep 1' }))
    app.write('three.yaml', podText('three'))
    fs.rmSync(at('app/two.yaml'))
    expect(await heals()).toEqual(before)
  })
})

describe('a repository that is fetched', () => {
  test('a forced push is refused, and what comes after the old history is taken', async () => {
    const second = app.commit({ 'two.yaml': podText('two', { script: 'sleep 100000' }) })
    await add('--git', at('app'))
    const before = await running()
    app.git('reset', '--quiet', '--hard', 'HEAD~1')
    app.commit({ 'one.yaml': podText('one', { script: 'sleep 100000' }) })
    expect(await failsWith('SOURCE_REWOUND', before)).toMatch(/rewritten/)
    app.git('reset', '--quiet', '--hard', second)
    const third = commitThree()
    expect(await heals()).toEqual({ ...before, three: expect.any(String) })
    // Whoever has looked at it takes it, once.
    app.git('reset', '--quiet', '--hard', second)
    await failsWith('SOURCE_REWOUND', await running())
    await succeeds(cell, ['gitops', 'reconcile', 'shop', '--rewind'])
    expect(await running()).toEqual(before)
    app.git('reset', '--quiet', '--hard', third)
    expect(await heals()).toEqual({ ...before, three: expect.any(String) })
  })

  test('it is gone, or its branch is: nothing is removed, and it heals when it is back', async () => {
    await add('--git', at('app'), '--branch', 'main')
    const before = await running()
    fs.renameSync(at('app'), at('elsewhere'))
    await failsWith('SOURCE_VANISHED', before)
    fs.renameSync(at('elsewhere'), at('app'))
    app.git('branch', '--move', 'main', 'other')
    await failsWith('SOURCE_VANISHED', before)
    app.git('branch', '--move', 'other', 'main')
    commitThree()
    expect(await heals()).toEqual({ ...before, three: expect.any(String) })
  })

  test('tspod is killed while it fetches: the next run is as any other', async () => {
    await add('--git', at('app'))
    const before = await running()
    for (const delay of ['0.15', '0.25', '0.35', '0.5', '0.8']) {
      app.commit({ 'note.txt': delay })
      await cell.sh(`timeout -s KILL ${delay} ${join(cell.checkout, 'bin/tspod')} gitops reconcile shop`)
    }
    commitThree()
    expect(await heals()).toEqual({ ...before, three: expect.any(String) })
  })
})

describe('a plain directory', () => {
  beforeEach(() => fs.rmSync(at('app/.git'), { recursive: true }))

  const disasters: Record<string, Disaster> = {
    'it is unmounted, and an empty one shows': {
      strike: () => inCell(`mount -t tmpfs -o mode=755 none ${at('app')}`),
      code: 'SOURCE_EMPTY',
      says: /no manifest/,
      mend: () => inCell(`umount ${at('app')}`),
    },
    'it is gone': {
      strike: () => fs.renameSync(at('app'), at('elsewhere')),
      code: 'SOURCE_VANISHED',
      says: /not there/,
      mend: () => fs.renameSync(at('elsewhere'), at('app')),
    },
    'a file is half written, and somebody still writes': {
      strike: () =>
        inCell(
          `sh -c 'echo $$ >${at('writer')}; exec >${at('app/one.yaml')}; echo kind:; exec sleep 60' </dev/null >/dev/null 2>&1 &`,
        ),
      code: 'SOURCE_UNSTABLE',
      says: /one\.yaml is still being written/,
      mend: async () => {
        await inCell(`kill $(cat ${at('writer')})`)
        app.write('one.yaml', podText('one'))
      },
    },
    'a full disk has cut a file to nothing': {
      strike: () => fs.truncateSync(at('app/one.yaml')),
      code: 'SOURCE_UNSTABLE',
      says: /one\.yaml is empty/,
      mend: () => app.write('one.yaml', podText('one')),
    },
    'a file becomes a FIFO': {
      strike: () => inCell(`rm ${at('app/one.yaml')} && mkfifo ${at('app/one.yaml')}`),
      code: 'SOURCE_HOSTILE',
      says: /one\.yaml is a FIFO/,
      mend: () => {
        fs.rmSync(at('app/one.yaml'))
        app.write('one.yaml', podText('one'))
      },
    },
  }

  test.each(Object.entries(disasters))('%s', async (_, { strike, code, says, mend }) => {
    await add('--dir', at('app'))
    const before = await running()
    await strike()
    try {
      expect(await failsWith(code, before)).toMatch(says)
    } finally {
      await mend()
    }
    app.write('three.yaml', podText('three'))
    expect(await heals()).toEqual({ ...before, three: expect.any(String) })
  })
})
