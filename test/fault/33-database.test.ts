/** F33 to F38: a state database that is held, damaged, newer, old, half migrated or from yesterday. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import {
  DATABASE,
  databaseCheck,
  faultyCell,
  injected,
  others,
  samples,
  seed,
  sh,
  takeDownOthers,
  unharmed,
} from '../support/faults.ts'
import { nodeOf, type Place } from '../support/place.ts'
import { DEMO_IMAGE, launcher, pods, podText, succeeds, tspod, WAIT_COMMAND } from '../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await faultyCell()
}, 60_000)
afterEach(() => takeDownOthers(cell))
afterAll(() => cell?.remove())

const TEXT = podText('kept')
const play = () => tspod(cell, ['kube', 'play', '-'], { input: TEXT })
const down = () => tspod(cell, ['kube', 'down', '-'], { input: TEXT })
const node = (program: string) => sh(cell, `cd /; exec ${nodeOf(cell)} -`, program)

/** Holds the database's write lock in a process called `node`, until killed; answers its pid. */
async function holdDatabase(): Promise<string> {
  const program = `const { DatabaseSync } = require('node:sqlite'); const d = new DatabaseSync('${DATABASE}'); d.exec('BEGIN IMMEDIATE'); console.log('held'); setInterval(() => {}, 1000)`
  return await sh(
    cell,
    `cat >/tmp/hold.cjs; ${nodeOf(cell)} --disable-warning=ExperimentalWarning /tmp/hold.cjs >/tmp/held 2>&1 & p=$!; while ! grep -q held /tmp/held; do sleep 0.05; done; echo $p`,
    program,
  )
}

test('F33 another process keeps the database locked: a play waits to its deadline and says who has it', () =>
  unharmed(cell, async () => {
    const pid = await holdDatabase()
    expect(await others(cell)).toEqual([])
    const waited = await play()
    await sh(cell, `kill -9 ${pid}`)
    expect(waited).toMatchObject({ exitCode: 125 })
    expect(waited.stderr).toMatch(new RegExp(`process ${pid} .*hold\\.cjs`))
    expect(await play()).toMatchObject({ exitCode: 0 })
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

/** Starts a play of the pod and waits until it has its lock; answers the pid. */
async function startHolding(): Promise<string> {
  await sh(cell, 'cat >/tmp/kept.yaml', TEXT)
  const play = `${launcher(cell)} kube play /tmp/kept.yaml >/dev/null 2>&1`
  const locked = 'test -e /var/lib/tspod/locks/kept.holder'
  return await sh(cell, `${play} & p=$!; while ! ${locked}; do sleep 0.02; done; echo $p`)
}

test('F34 the holder of a pod is killed: its lock is free, and down goes on at once', () =>
  unharmed(cell, async () => {
    await sh(cell, `kill -9 ${await startHolding()}`)
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

test('F34 the holder of a pod stands still: others wait to their deadline, name it, and never steal', () =>
  unharmed(cell, async () => {
    const pid = await startHolding()
    await sh(cell, `kill -STOP ${pid}`)
    const waited = await down()
    expect(waited.exitCode).not.toBe(0)
    expect(waited.stderr).toMatch(new RegExp(`pod kept was held by process ${pid} \\(tspod kube play\\)`))
    await sh(
      cell,
      `kill -CONT ${pid}; while test -e /proc/${pid}/exe && [ "$(cut -d' ' -f3 /proc/${pid}/stat)" != Z ]; do sleep 0.1; done`,
    )
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

const keep = 'cd /var/lib/tspod; rm -rf /tmp/keep; mkdir /tmp/keep; cp -a state.db* /tmp/keep'
const back = 'cd /var/lib/tspod; rm -f state.db*; cp -a /tmp/keep/. .'

/** What is nowhere but in the database, and what has to survive it: a secret, and a volume with a file in it. */
const RICH = `apiVersion: v1
kind: Secret
metadata: { name: kept-secret }
stringData: { word: tell-nobody }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: kept-data }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
---
apiVersion: v1
kind: Pod
metadata: { name: kept }
spec:
  terminationGracePeriodSeconds: 5
  volumes: [{ name: data, persistentVolumeClaim: { claimName: kept-data } }]
  containers:
    - name: c1
      image: ${DEMO_IMAGE}
      command: [sh, -c, "${WAIT_COMMAND}"]
      volumeMounts: [{ name: data, mountPath: /data }]
`
const playRich = async (): Promise<number> => {
  // Yesterday's backup: this play makes another one.
  await sh(cell, `touch -d '2 days ago' ${DATABASE}.backup`)
  await succeeds(cell, ['kube', 'play', '-'], { input: RICH })
  await succeeds(cell, ['exec', 'kept-c1', 'sh', '-c', 'echo precious >/data/file'])
  return pidOf('kept-c1')
}
const pidOf = async (name: string): Promise<number> =>
  Number((await others(cell)).find(container => container.name === name && container.state === 'running')?.pid)

async function heals(flag: '--repair' | '--rebuild'): Promise<void> {
  const { exitCode, stdout, stderr } = await tspod(cell, ['system', 'fsck', flag])
  expect(`${exitCode} ${exitCode === 0 ? '' : stdout}${stderr}`).toBe('0 ')
}

const damage: Record<string, string> = {
  'is cut in half': 'truncate -s $(( $(stat -c %s state.db) / 2 )) state.db',
  'is zeros': 'dd if=/dev/zero of=state.db bs=4096 count=8 conv=notrunc status=none',
  'is no database': 'echo hello >state.db',
  'has lost its header': 'dd if=/dev/zero of=state.db bs=100 count=1 conv=notrunc status=none',
}

for (const [what, line] of Object.entries(damage)) {
  test(`F35 the database ${what}: every command says so, touches nothing, and what runs goes on`, () =>
    unharmed(cell, async () => {
      expect(await play()).toMatchObject({ exitCode: 0 })
      const [{ pid }] = (await others(cell)) as unknown as [{ pid: number }]
      await checkpoint()
      await sh(cell, `${keep}; ${line}`)
      const sum = await sh(cell, `sha256sum <${DATABASE}`)
      for (const args of [['ps'], ['kube', 'play', '-'], ['kube', 'down', '-']]) {
        const said = await tspod(cell, args, { input: podText('other') })
        expect(said.exitCode).toBe(125)
        expect(said.stderr).toMatch(/state\.db is damaged/)
      }
      expect(await sh(cell, `sha256sum <${DATABASE}`)).toBe(sum)
      expect(await sh(cell, `test -e /proc/${pid} && echo runs`)).toBe('runs')
      const made = await tspod(cell, ['system', 'fsck', '--rebuild'])
      expect(`${made.exitCode} ${made.stdout}`).toMatch(/^0 repaired I1 database: it was damaged/)
      expect((await others(cell)) as object[]).toMatchObject([{ state: 'running', pid }])
      expect(await tspod(cell, ['system', 'fsck'])).toMatchObject({ exitCode: 0, stdout: 'all is well\n' })
      await sh(cell, 'rm /var/lib/tspod/state.db.damaged-*')
      expect(await down()).toMatchObject({ exitCode: 0 })
    }))
}

for (const [what, line] of Object.entries(damage)) {
  test(`F35 the database ${what}: what was only in it comes from what is readable and from the backup`, () =>
    unharmed(cell, async () => {
      const pid = await playRich()
      await checkpoint()
      await sh(cell, `cd /var/lib/tspod; ${line}`)
      const sum = await sh(cell, `sha256sum <${DATABASE}`)
      await heals('--rebuild')
      expect(await sh(cell, `sha256sum <$(ls ${DATABASE}.damaged-*); rm ${DATABASE}.damaged-*`)).toBe(sum)
      expect(await pidOf('kept-c1')).toBe(pid)
      expect(await succeeds(cell, ['exec', 'kept-c1', 'cat', '/data/file'])).toBe('precious\n')
      const again = podText('again').replace(
        '"command"',
        '"envFrom": [{"secretRef": {"name": "kept-secret"}}], "command"',
      )
      await succeeds(cell, ['kube', 'play', '-'], { input: again })
      expect(await succeeds(cell, ['exec', 'again-c1', 'sh', '-c', 'echo $word'])).toBe('tell-nobody\n')
      await succeeds(cell, ['kube', 'down', '-'], { input: again })
      await succeeds(cell, ['restart', 'kept-c1'])
      expect(await pidOf('kept-c1')).not.toBe(pid)
      await succeeds(cell, ['kube', 'down', '--force', '-'], { input: RICH })
    }))
}

test('F35 the database is gone altogether: what runs is found and adopted', () =>
  unharmed(cell, async () => {
    expect(await play()).toMatchObject({ exitCode: 0 })
    const pid = await pidOf('kept-c1')
    await sh(cell, `rm -f ${DATABASE} ${DATABASE}-wal ${DATABASE}-shm`)
    expect(await tspod(cell, ['system', 'fsck'])).toMatchObject({ exitCode: 1 })
    await heals('--repair')
    expect(await pidOf('kept-c1')).toBe(pid)
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

/** Everything into the main file, so that what is damaged there matters. */
const checkpoint = () =>
  node(
    `const { DatabaseSync } = require('node:sqlite'); new DatabaseSync('${DATABASE}').exec('PRAGMA wal_checkpoint(TRUNCATE)')`,
  )

const SAMPLES = Number(process.env.SAMPLES ?? 20)
test(`F35 single bytes of the database are damaged (seed ${seed}): a command works or says so, and never crashes`, () =>
  unharmed(cell, async () => {
    expect(await play()).toMatchObject({ exitCode: 0 })
    await checkpoint()
    await sh(cell, keep)
    const size = Number(await sh(cell, `stat -c %s ${DATABASE}`))
    const pid = await pidOf('kept-c1')
    for (const place of samples(SAMPLES, 0, size - 1)) {
      await sh(cell, `printf '\\377' | dd of=${DATABASE} bs=1 seek=${place} conv=notrunc status=none`)
      const said = await tspod(cell, ['ps', '-a'])
      if (said.exitCode !== 0) {
        expect(`byte ${place}: ${said.stderr}`).toMatch(/state\.db/)
        const healed = await tspod(cell, ['system', 'fsck', '--rebuild'])
        expect(`byte ${place}: ${healed.exitCode} ${healed.stderr}`).toBe(`byte ${place}: 0 `)
        await sh(cell, `rm ${DATABASE}.damaged-*`)
      }
      expect(`byte ${place}: ${await sh(cell, `test -e /proc/${pid} && echo runs`)}`).toBe(`byte ${place}: runs`)
      expect(said.stderr).not.toMatch(/at .*\.cjs/)
      await sh(cell, back)
    }
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

test('F35 the shared-memory file is removed: nothing is lost', () =>
  unharmed(cell, async () => {
    expect(await play()).toMatchObject({ exitCode: 0 })
    await sh(cell, `rm -f ${DATABASE}-shm`)
    expect((await others(cell)).map(({ state }) => state)).toEqual(['running'])
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

test('F36 the database is from a newer tspod: refused, and not a byte of it changes', () =>
  unharmed(cell, async () => {
    await checkpoint()
    await sh(cell, keep)
    await node(
      `const { DatabaseSync } = require('node:sqlite'); const d = new DatabaseSync('${DATABASE}'); d.exec('PRAGMA user_version = 9999; PRAGMA wal_checkpoint(TRUNCATE)')`,
    )
    const sums = await sh(cell, `sha256sum <${DATABASE}`)
    for (const args of [['ps'], ['kube', 'play', '-'], ['kube', 'down', '-']]) {
      const said = await tspod(cell, args, { input: TEXT })
      expect(said).toMatchObject({ exitCode: 125 })
      expect(said.stderr).toMatch(/written by a newer tspod/)
    }
    expect(await sh(cell, `sha256sum <${DATABASE}`)).toBe(sums)
    await sh(cell, back)
  }))

const KILLS = samples(Number(process.env.SAMPLES ?? 12), 1, 60)
test(`F37 killed while it migrates (seed ${seed}): the schema is the old or the new one, and the copy from before is there`, () =>
  unharmed(cell, async () => {
    await sh(
      cell,
      `cd ${cell.checkout}; ${nodeOf(cell)} --disable-warning=ExperimentalWarning --input-type=module -`,
      `import { DatabaseSync } from 'node:sqlite'
       import { MIGRATIONS } from '${cell.checkout}/src/engine/state/migrations.ts'
       import { rmSync } from 'node:fs'
       rmSync('/tmp/old.db', { force: true })
       const d = new DatabaseSync('/tmp/old.db')
       d.exec(MIGRATIONS[0]); d.exec('PRAGMA application_id = ' + 0x7473706f + '; PRAGMA user_version = 1')`,
    )
    for (const nth of KILLS) {
      for (const call of ['pwrite64', 'fdatasync']) {
        const root = '/tmp/migrated'
        await sh(cell, `rm -rf ${root}; mkdir ${root}; cp /tmp/old.db ${root}/state.db`)
        await injected(cell, `${call}:signal=KILL:when=${call === 'fdatasync' ? Math.ceil(nth / 8) : nth}`, [
          '--root',
          root,
          'ps',
        ])
        const version = await sh(
          cell,
          `sqlite_version() { ${nodeOf(cell)} -e "const { DatabaseSync } = require('node:sqlite'); const d = new DatabaseSync('${root}/state.db'); console.log(d.prepare('PRAGMA user_version').get().user_version, d.prepare('PRAGMA integrity_check').get().integrity_check)" 2>/dev/null; }; sqlite_version`,
        )
        expect(version).toMatch(/^\d+ ok$/)
        if (!version.startsWith('1 ')) expect(await sh(cell, `test -e ${root}/state.db.v1 && echo there`)).toBe('there')
        await succeeds(cell, ['--root', root, 'ps'])
        await sh(cell, `rm -rf ${root}`)
      }
    }
    await sh(cell, 'rm /tmp/old.db')
  }))

test('F38 the database is from before the pod was played: nothing is killed in silence, and its address is not given away', () =>
  unharmed(cell, async () => {
    await checkpoint()
    await sh(cell, keep)
    expect(await play()).toMatchObject({ exitCode: 0 })
    const [{ pid }] = (await others(cell)) as unknown as [{ pid: number }]
    const address = (await pods(cell)).find(({ name }) => name === 'kept')!.ips
    await sh(cell, back)
    const checked = await tspod(cell, ['system', 'fsck'])
    expect(checked).toMatchObject({ exitCode: 1 })
    expect(checked.stdout).toMatch(/I3/)
    const other = podText('younger')
    await succeeds(cell, ['kube', 'play', '-'], { input: other })
    expect(await sh(cell, `test -e /proc/${pid} && echo runs`)).toBe('runs')
    expect((await pods(cell)).find(({ name }) => name === 'younger')!.ips).not.toEqual(address)
    await succeeds(cell, ['kube', 'down', '-'], { input: other })
    const repaired = await tspod(cell, ['system', 'fsck', '--repair'])
    expect(`${repaired.exitCode} ${repaired.stdout}`).toMatch(/^0 repaired I3 pod kept: it was played/)
    expect(((await others(cell)) as object[])[0]).toMatchObject({ state: 'running', pid })
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

test('F38 the database is from before a restart: the pod is known, what runs is not, and is recorded as it is', () =>
  unharmed(cell, async () => {
    expect(await play()).toMatchObject({ exitCode: 0 })
    await checkpoint()
    await sh(cell, keep)
    await succeeds(cell, ['restart', 'kept-c1'])
    const pid = await pidOf('kept-c1')
    await sh(cell, back)
    const checked = await tspod(cell, ['system', 'fsck'])
    expect(checked.stdout).toMatch(/I2 container kept-c1: its record is older than what runs/)
    await heals('--repair')
    expect(await pidOf('kept-c1')).toBe(pid)
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

test('F38 a pod was played again under the name of one that is not known: neither is ended', () =>
  unharmed(cell, async () => {
    await checkpoint()
    await sh(cell, keep)
    expect(await play()).toMatchObject({ exitCode: 0 })
    const pid = await pidOf('kept-c1')
    await sh(cell, back)
    expect(await play()).toMatchObject({ exitCode: 0 })
    const checked = await tspod(cell, ['system', 'fsck', '--repair'])
    expect(checked).toMatchObject({ exitCode: 1 })
    expect(checked.stdout).toMatch(/is left alone: another one has its name/)
    expect(await sh(cell, `test -e /proc/${pid} && echo runs`)).toBe('runs')
    // Once its name is free it is adopted, and goes as every other.
    expect(await down()).toMatchObject({ exitCode: 0 })
    await heals('--repair')
    expect(await pidOf('kept-c1')).toBe(pid)
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

test('the database is whole', async () => {
  expect(await databaseCheck(cell)).toBe('ok')
})
