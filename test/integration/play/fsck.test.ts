import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import { nodeOf, type Place } from '../../support/place.ts'
import {
  containers,
  DEMO_IMAGE,
  launcher,
  pods,
  podText,
  readyCell,
  succeeds,
  takeDownAll,
  tspod,
  WAIT_COMMAND,
} from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

type Finding = { invariant: string; object: string; problem: string; remedy: string; state: string; error?: string }
type Report = { exitCode: number; findings: Finding[] }

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

async function fsck(...flags: string[]): Promise<Report> {
  const { exitCode, stdout, stderr } = await tspod(cell, ['system', 'fsck', '--format', 'json', ...flags])
  expect(stderr).toBe('')
  return { exitCode, ...(JSON.parse(stdout) as { findings: Finding[] }) }
}

const CLEAN = { exitCode: 0, findings: [] }

type Web = { pod: string; id: string; pid: number }

async function web(): Promise<Web> {
  const [pod] = await pods(cell)
  const all = await containers(cell)
  const { id = '', pid = 0 } = all.find(({ name }) => name === 'web-c1') ?? {}
  return { pod: pod?.id ?? '', id, pid }
}

/** A statement on the database, as somebody with an editor would run it: foreign keys are not looked after. */
const sql = async (statement: string): Promise<void> => {
  const program = `new (require('node:sqlite').DatabaseSync)('/var/lib/tspod/state.db', { enableForeignKeyConstraints: false }).exec(${JSON.stringify(statement)})`
  const done = await cell.exec([nodeOf(cell), '--disable-warning=ExperimentalWarning', '-e', program])
  expect(done).toMatchObject({ exitCode: 0 })
}

const shown = ({ findings }: Report): string[] =>
  findings.map(({ invariant, object, problem }) => `${invariant} ${object}: ${problem}`)

const PORT = 18_555
/** Two containers, an address, a port; what is broken is all of the first one's. */
const TEXT = podText('web', { scripts: [WAIT_COMMAND, WAIT_COMMAND], port: PORT })

type Break = {
  how: (made: Web) => Promise<unknown>
  found: RegExp[]
  /** The containers whose process is another one afterwards. */
  restarted: string[]
}

const inNet = (made: Web, line: string): Promise<unknown> =>
  cell.sh(`nsenter --net=/run/tspod/pods/${made.pod}/ns/net ${line}`)
const dir = (made: Web): string => `/run/tspod/containers/${made.id}`

const BREAKS: Record<string, Break> = {
  'a monitor that was killed': {
    how: made => cell.sh(`kill -9 $(cat ${dir(made)}/conmon.pid)`),
    found: [/^I2 container web-c1: its monitor \(conmon\) is gone$/],
    restarted: ['web-c1'],
  },
  'a monitor and a process that were killed': {
    how: made => cell.sh(`kill -9 $(cat ${dir(made)}/conmon.pid) ${made.pid}`),
    found: [/^I2 container web-c1: its process is gone and nobody recorded its end$/],
    restarted: ['web-c1'],
  },
  'a network namespace that was unmounted': {
    how: made => cell.sh(`umount /run/tspod/pods/${made.pod}/ns/net`),
    found: [/^I2 pod web: its net namespace is not pinned any more$/],
    restarted: [],
  },
  'a network interface that was deleted': {
    how: made => inNet(made, 'ip link delete eth0'),
    found: [/^I2 pod web: its network interface is gone$/],
    restarted: [],
  },
  'firewall rules that were flushed': {
    how: () => cell.sh('iptables -t nat -F; iptables -t nat -X'),
    found: [/^I2 pod web: its published ports are not forwarded$/],
    restarted: [],
  },
  'aardvark-dns that was killed': {
    how: () => cell.sh('kill -9 $(cat /run/tspod/net/aardvark-dns/aardvark.pid); sleep 0.2'),
    found: [/^I2 pod web: its name cannot be resolved$/],
    restarted: [],
  },
  'a run directory that was deleted': {
    how: made => cell.sh(`rm -r ${dir(made)}`),
    found: [/^I2 container web-c1: its run directory is gone$/],
    restarted: ['web-c1'],
  },
  'state that its runtime has lost': {
    how: made => cell.sh(`rm -r /run/tspod/runtime/*/${made.id}`),
    found: [/^I2 container web-c1: its runtime does not know it$/],
    restarted: ['web-c1'],
  },
  'a root file system that was removed behind its back': {
    how: made =>
      cell.sh(`containers-storage unmount --force ${made.id}; containers-storage delete-container ${made.id}`),
    found: [/^I2 container web-c1: its root file system is not in the image store any more$/],
    restarted: ['web-c1'],
  },
  'a root file system that was unmounted': {
    how: () => cell.sh("umount -l $(awk '$5 ~ /merged$/ { last = $5 } END { print last }' /proc/self/mountinfo)"),
    found: [/^I2 container web-c[12]: its root file system is not mounted$/],
    restarted: [],
  },
  'a command whose caller was killed': {
    how: () =>
      sql(`INSERT INTO exec_session (id, container, command, boot, pid, pid_start, created_ms)
      SELECT '${'e'.repeat(64)}', id, '[]', boot, 999999, '1', 1 FROM container WHERE name = 'web-c1'`),
    found: [/^I2 exec session eeeeeeeeeeee: its process is gone and nobody recorded its end$/],
    restarted: [],
  },
  'a lease that was lost': {
    how: () => sql('DELETE FROM lease'),
    found: [/^I2 pod web: its address 10\.\S+ is not leased to it$/],
    restarted: [],
  },
  'a pod whose sandbox nobody knows any more': {
    how: () => sql('DELETE FROM sandbox'),
    found: [/^I2 pod web: its record has no sandbox$/],
    restarted: ['web-c1', 'web-c2'],
  },
}

describe('what is broken is found, and healed', () => {
  for (const [title, { how, found, restarted }] of Object.entries(BREAKS)) {
    test(title, () =>
      withLeakCheck(cell, async () => {
        await succeeds(cell, ['kube', 'play', '-'], { input: TEXT })
        expect(await fsck()).toEqual({ ...CLEAN, busy: [] })
        const before = await containers(cell)
        await how(await web())
        const seen = await fsck()
        expect(shown(seen)).toEqual(found.map(pattern => expect.stringMatching(pattern)))
        expect(seen.exitCode).toBe(1)
        const repaired = await fsck('--repair')
        expect(repaired.findings.filter(({ state }) => state !== 'repaired')).toEqual([])
        expect(repaired.exitCode).toBe(0)
        expect(await fsck()).toMatchObject(CLEAN)
        const after = await containers(cell)
        expect(after.map(({ name, state }) => `${name} ${state}`)).toEqual(['web-c1 running', 'web-c2 running'])
        const changed = after.filter(({ pid }, index) => pid !== before[index]?.pid).map(({ name }) => name)
        expect(changed).toEqual(restarted)
        const [address] = (await pods(cell))[0]!.ips
        expect((await cell.sh(`busybox ping -c 1 -W 2 ${address}`)).exitCode).toBe(0)
        await succeeds(cell, ['kube', 'down', '-'], { input: TEXT })
      }),
    )
  }
})

describe('what nobody knows any more is removed', () => {
  test('everything of a pod whose rows were deleted; another pod notices nothing', () =>
    withLeakCheck(cell, async () => {
      await succeeds(cell, ['kube', 'play', '-'], { input: podText('other') })
      const [other] = await containers(cell)
      await succeeds(cell, ['kube', 'play', '-'], { input: podText('lost', { port: PORT }) })
      await cell.sh(`rm /var/lib/tspod/records/${(await pods(cell)).find(({ name }) => name === 'lost')?.id}.json`)
      await sql("DELETE FROM pod WHERE name = 'lost'")
      const seen = await fsck()
      const kinds = seen.findings.map(
        ({ invariant, object }) => `${invariant} ${object.replace(/ (10\.|\S*[0-9a-f/]{8}).*| row .*/, '')}`,
      )
      expect(new Set(kinds)).toEqual(
        new Set([
          'I1 container',
          'I1 lease',
          'I1 manifest',
          'I1 sandbox',
          'I3 container',
          'I3 monitor',
          'I3 root file system',
          'I3 run directory',
          'I3 address',
          'I3 cgroup',
          'I3 namespaces',
          'I3 pod directory',
          'I3 log directory',
          'I8 lock lost',
        ]),
      )
      const repaired = await fsck('--repair')
      expect(repaired.findings.filter(({ state }) => state !== 'repaired')).toEqual([])
      expect(await fsck()).toMatchObject(CLEAN)
      expect(await containers(cell)).toEqual([expect.objectContaining({ id: other!.id, pid: other!.pid })])
      await succeeds(cell, ['kube', 'down', '-'], { input: podText('other') })
    }))

  test('things that were put there; what is not provably ours, and volumes, stay', async () => {
    const id = '5'.repeat(64)
    await succeeds(cell, ['kube', 'play', '-'], { input: podText('web') })
    await cell.sh(`
      cd /run/tspod; mkdir -p containers/${id} pods/${id}/ns notify/555555555555; echo 0 >exits/${id}
      mkdir -p /var/lib/tspod/pods/${id} /var/log/tspod/pods/gone_${id} /var/lib/tspod/volumes/kept/_data
      touch /var/lib/tspod/locks/gone.lock /run/tspod/containers/README /var/lib/tspod/volumes/kept/_data/file
      for tree in /sys/fs/cgroup/memory /sys/fs/cgroup; do [ -w $tree/cgroup.procs ] && mkdir -p $tree/tspod/pod-gone-555555555555 $tree/tspod/pod-who-666666666666; done
      containers-storage create-container --id ${id} --name other --metadata '{"tspod":{"root":"/somewhere/else"}}' $(containers-storage images -q | head -1)
    `)
    const flags = `--exit-dir /run/tspod/exits --cid ${id}`
    const monitor = cell.sh(`bash -c 'exec -a /usr/bin/conmon bash -c "sleep 8; :" ${flags}' >/dev/null 2>&1`)
    await eventually(
      () => cell.sh("pgrep -f 'exit-dir /run/tspod/exits --cid 5555'"),
      ({ exitCode }) => exitCode === 0,
    )
    const repaired = await fsck('--repair')
    expect((await monitor).exitCode).toBe(137)
    const left = repaired.findings
      .filter(({ state }) => state !== 'repaired')
      .map(({ object, remedy }) => [object, remedy])
    expect(left).toEqual([['cgroup /tspod/pod-who-666666666666', 'is left alone: it may be of another installation']])
    expect(repaired.exitCode).toBe(1)
    expect(repaired.findings.map(({ object }) => object.split(' ')[0]).sort()).toEqual(
      ['cgroup', 'cgroup', 'exit', 'lock', 'log', 'monitor', 'namespaces', 'notify', 'pod', 'run', 'volume'].sort(),
    )
    const found = await cell.sh(
      `ls -d /run/tspod/notify/*; find / -xdev -name '*${id}*' -not -path '/proc/*' -not -path '/var/lib/containers/*' 2>/dev/null; ls /run/tspod/containers /var/lib/tspod/volumes/kept/_data`,
    )
    expect(found.stdout).not.toContain('notify/5')
    expect(found.stdout).toContain('README\n')
    expect(found.stdout).toContain('file\n')
    expect((await cell.sh('containers-storage containers')).stdout).toContain(id)
    await cell.sh(
      `containers-storage delete-container ${id}; rm /run/tspod/containers/README; find /sys/fs/cgroup -name 'pod-who-6*' -exec rmdir {} ';'; rm -r /var/lib/tspod/volumes/kept`,
    )
    await sql("DELETE FROM volume WHERE name = 'kept'")
    expect(await fsck()).toMatchObject(CLEAN)
    expect((await containers(cell)).map(({ state }) => state)).toEqual(['running'])
  })
})

describe('what was interrupted is finished', () => {
  test('a play', () =>
    withLeakCheck(cell, async () => {
      await succeeds(cell, ['kube', 'play', '-'], { input: TEXT })
      await sql('UPDATE pod SET complete = 0')
      expect(shown(await fsck())).toEqual(['I2 pod web: its play was interrupted'])
      expect(await fsck('--repair')).toMatchObject({ exitCode: 0, findings: [{ state: 'repaired' }] })
      expect(await pods(cell)).toEqual([])
    }))
  test('a removal', () =>
    withLeakCheck(cell, async () => {
      await succeeds(cell, ['kube', 'play', '-'], { input: TEXT })
      await sql("UPDATE pod SET goal = 'removed'")
      expect(shown(await fsck())).toEqual(['I2 pod web: its removal was interrupted'])
      expect(await fsck('--repair')).toMatchObject({ exitCode: 0, findings: [{ state: 'repaired' }] })
      expect(await pods(cell)).toEqual([])
    }))
  test('a wait for a clock', async () => {
    await succeeds(cell, ['kube', 'play', '-'], { input: podText('loop', { script: 'exit 1' }) })
    const missed = 'I2 pod loop: it waits for a time, and no timekeeper is there'
    // One that was about to start the container has another one come after it.
    await eventually(
      async () => {
        await cell.sh('kill -9 $(cat /run/tspod/timekeeper)')
        return shown(await fsck())
      },
      findings => findings.length === 1 && findings[0] === missed,
    )
    expect(await fsck('--repair')).toMatchObject({ exitCode: 0, findings: [{ state: 'repaired' }] })
    expect(await fsck()).toMatchObject(CLEAN)
  })
})

test('a command in the background that has ended is nothing to mend', async () => {
  await succeeds(cell, ['kube', 'play', '-'], { input: podText('web') })
  await succeeds(cell, ['exec', '-d', 'web-c1', 'true'])
  await eventually(
    () => cell.sh('pgrep conmon | wc -l'),
    ({ stdout }) => stdout.trim() === '1',
  )
  expect(await fsck()).toMatchObject(CLEAN)
})

test('a lock whose holder is stopped is told of and never taken', async () => {
  await succeeds(cell, ['kube', 'play', '-'], { input: podText('web', { script: 'sleep 1000' }) })
  // The container ignores TERM: down holds the lock for its grace.
  // nsenter stops along with its child: there is a shell between.
  const down = cell.sh(`cat >/tmp/web.yaml; ${launcher(cell)} kube down /tmp/web.yaml & wait`, {
    input: podText('web'),
  })
  await eventually(
    () => containers(cell),
    ([only]) => only?.state === 'stopping',
  )
  const holder = await cell.sh("grep -h 'kube down' /var/lib/tspod/locks/web.holder | cut -d' ' -f1")
  const pid = holder.stdout.trim()
  await cell.sh(`kill -STOP ${pid}`)
  const report = await fsck('--repair')
  await cell.sh(`kill -CONT ${pid}`)
  await down
  expect(report).toMatchObject({
    exitCode: 1,
    busy: ['web'],
    findings: [{ invariant: 'I8', object: 'lock web', state: 'left' }],
  })
  expect(report.findings[0]?.problem).toBe(`process ${pid} (tspod kube down) has it and is stopped`)
  expect(await fsck()).toMatchObject(CLEAN)
})

const KEPT = `
apiVersion: v1
kind: Secret
metadata: { name: key }
stringData: { value: secret-of-the-pod }
---
apiVersion: v1
kind: Pod
metadata: { name: kept }
spec:
  terminationGracePeriodSeconds: 2
  volumes: [{ name: data, persistentVolumeClaim: { claimName: records } }]
  initContainers:
    - { name: once, image: ${DEMO_IMAGE}, command: [sh, -c, 'echo begun >>/data/log'], volumeMounts: [{ name: data, mountPath: /data }] }
  containers:
    - name: main
      image: ${DEMO_IMAGE}
      command: [sh, -c, "${WAIT_COMMAND}"]
      env: [{ name: KEY, valueFrom: { secretKeyRef: { name: key, key: value } } }]
      volumeMounts: [{ name: data, mountPath: /data }]
    - { name: done, image: ${DEMO_IMAGE}, command: ['true'] }
  restartPolicy: OnFailure
`

describe('a database that is damaged', () => {
  test('is made anew from what is kept beside it: what runs goes on, what was stopped stays so, nothing is left by down', () =>
    withLeakCheck(cell, async () => {
      await succeeds(cell, ['kube', 'play', '--service-container', '-'], { input: KEPT })
      await succeeds(cell, ['kube', 'play', '-'], { input: TEXT })
      await succeeds(cell, ['pod', 'stop', 'web'])
      const before = await containers(cell)
      expect(await tspod(cell, ['system', 'fsck', '--rebuild'])).toMatchObject({ exitCode: 125 })
      await cell.sh('echo nonsense >/var/lib/tspod/state.db; rm -f /var/lib/tspod/state.db-*')
      const { stderr } = await tspod(cell, ['ps'])
      expect(stderr).toContain('tspod system fsck --rebuild')
      const report = await fsck('--rebuild')
      expect(report.findings.filter(({ state }) => state !== 'repaired')).toEqual([])
      expect(report.findings.map(({ object, state }) => `${object} ${state}`).sort()).toEqual([
        'database repaired',
        'pod kept repaired',
        'pod web repaired',
        expect.stringMatching(/^service /),
        'volume records repaired',
      ])
      expect(await fsck()).toMatchObject(CLEAN)
      const now = await containers(cell)
      const told = (list: typeof before) =>
        list.map(({ name, state, pid, exitCode }) => ({ name, state, pid, exitCode }))
      const kept = (list: typeof before) => told(list.filter(({ name }) => name.startsWith('kept')))
      expect(kept(now)).toEqual(kept(before))
      expect(now.filter(({ pod }) => pod === 'web').map(({ state }) => state)).toEqual(['exited', 'exited'])
      expect(await succeeds(cell, ['exec', 'kept-main', 'sh', '-c', 'echo $KEY; cat /data/log'])).toBe(
        'secret-of-the-pod\nbegun\n',
      )
      await succeeds(cell, ['pod', 'start', 'web'])
      await cell.sh('rm /var/lib/tspod/state.db.damaged-*')
      await succeeds(cell, ['kube', 'down', '--force', '-'], { input: KEPT })
      await succeeds(cell, ['kube', 'down', '-'], { input: TEXT })
    }))
})
