import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { sharedWith } from '../../support/cell.ts'
import { difference, snapshotIn, withLeakCheck } from '../../support/leaks.ts'
import { type Place, program } from '../../support/place.ts'
import { containers, launcher, pods, podText, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'

const ID = /^[0-9a-f]{64}$/
let cell: Place
/** A directory that the cell sees under the same path. */
let shared: string
beforeAll(async () => {
  cell = await readyCell()
  shared = sharedWith(cell)
}, 60_000)
// One failed test must not fail those after it.
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const file = (name: string, text: string): string => {
  const path = join(shared, name)
  writeFileSync(path, text)
  return path
}
const claim = (name: string): string =>
  `---\n${JSON.stringify({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  })}\n`

describe('what kube play and kube down print', () => {
  test('volumes, then each pod with its containers; down prints four headings', () =>
    withLeakCheck(cell, async () => {
      const manifest = file(
        'two.yaml',
        `${claim('kept')}${podText('one')}${podText('two', { scripts: ['sleep 9', 'sleep 9'] })}`,
      )
      const played = (await succeeds(cell, ['kube', 'play', manifest])).split('\n')
      expect(played.map(line => (ID.test(line) ? 'ID' : line))).toEqual([
        ...['Volumes:', 'kept'],
        ...['Pod:', 'ID', 'Container:', 'ID', ''],
        ...['Pod:', 'ID', 'Containers:', 'ID', 'ID', '', ''],
      ])
      const [one, two] = [played[3]!, played[8]!]
      expect((await pods(cell)).map(({ name, id }) => `${name} ${id}`).sort()).toEqual([`one ${one}`, `two ${two}`])
      const down = (await succeeds(cell, ['kube', 'down', manifest])).split('\n')
      expect(down.map(line => (ID.test(line) ? 'ID' : line))).toEqual([
        ...['Pods stopped:', 'ID', 'ID', 'Pods removed:', 'ID', 'ID', 'Secrets removed:', 'Volumes removed:', ''],
      ])
      expect(down).toEqual(expect.arrayContaining([one, two]))
    }))

  test('down --force removes the named volume as well', async () => {
    const manifest = file('volume.yaml', claim('gone'))
    expect(await succeeds(cell, ['kube', 'play', manifest])).toBe('Volumes:\ngone\n')
    const down = await succeeds(cell, ['kube', 'down', '--force', manifest])
    expect(down).toBe('Pods stopped:\nPods removed:\nSecrets removed:\nVolumes removed:\ngone\n')
  })

  test('play kube and kube play --down are the same commands under their older names', () =>
    withLeakCheck(cell, async () => {
      const manifest = file('older.yaml', podText('older'))
      expect(await succeeds(cell, ['play', 'kube', manifest])).toMatch(/^Pod:\n/)
      expect(await succeeds(cell, ['play', 'kube', '--down', manifest])).toMatch(/^Pods stopped:\n[0-9a-f]{64}\n/)
    }))
})

describe('playing what is there already', () => {
  test('ends with 125 and harms nothing; --replace makes it anew', () =>
    withLeakCheck(cell, async () => {
      const manifest = file('twice.yaml', podText('twice', { port: 18_001 }))
      await succeeds(cell, ['kube', 'play', manifest])
      const [first] = await containers(cell)
      const again = await tspod(cell, ['kube', 'play', manifest])
      expect(again.exitCode).toBe(125)
      expect(again.stderr).toMatch(/twice.*is in use: pod already exists/)
      expect(again.stdout).toBe('')
      expect(await containers(cell)).toEqual([first])

      const replaced = await succeeds(cell, ['kube', 'play', '--replace', manifest])
      expect(replaced).toMatch(/^Pods stopped:\n[0-9a-f]{64}\nPods removed:\n[0-9a-f]{64}\n/)
      const [second] = await containers(cell)
      expect(second).toMatchObject({ name: 'twice-c1', state: 'running' })
      expect(second!.id).not.toBe(first!.id)
      await succeeds(cell, ['kube', 'down', manifest])
    }))

  test('--replace of what was never there just plays it', () =>
    withLeakCheck(cell, async () => {
      const manifest = file('fresh.yaml', podText('fresh'))
      await succeeds(cell, ['kube', 'play', '--replace', manifest])
      expect(await pods(cell)).toHaveLength(1)
      await succeeds(cell, ['kube', 'down', manifest])
    }))

  test('two plays of one file at once make one pod', () =>
    withLeakCheck(cell, async () => {
      const manifest = file('race.yaml', podText('race'))
      const both = await Promise.all([1, 2].map(() => tspod(cell, ['kube', 'play', manifest])))
      expect(both.map(({ exitCode }) => exitCode).sort()).toEqual([0, 125])
      expect(both.find(({ exitCode }) => exitCode === 125)!.stderr).toMatch(/race/)
      expect((await containers(cell)).map(({ name, state }) => `${name} ${state}`)).toEqual(['race-c1 running'])
      await succeeds(cell, ['kube', 'down', manifest])
    }))

  test('ten pods played at once are all up, each with its own address', () =>
    withLeakCheck(cell, async () => {
      const script = "trap 'exit 0' TERM; httpd -f -p 80 -h /www & wait"
      const manifests = Array.from({ length: 10 }, (_, n) => file(`many-${n}.yaml`, podText(`many-${n}`, { script })))
      const played = await Promise.all(manifests.map(manifest => tspod(cell, ['kube', 'play', manifest])))
      expect(played.map(({ exitCode, stderr }) => `${exitCode} ${stderr}`)).toEqual(manifests.map(() => '0 '))
      const listed = await pods(cell)
      expect(listed.map(({ phase }) => phase)).toEqual(manifests.map(() => 'Running'))
      expect(new Set(listed.flatMap(({ ips }) => ips)).size).toBe(10)
      for (const host of [...listed.flatMap(({ ips }) => ips), ...listed.map(({ name }) => name)]) {
        const page = await succeeds(cell, ['exec', 'many-9-c1', 'wget', '-q', '-O', '-', `http://${host}/`])
        expect(page).toContain('Hello from a pod')
      }
      const downs = await Promise.all(manifests.map(manifest => tspod(cell, ['kube', 'down', manifest])))
      expect(downs.map(({ exitCode }) => exitCode)).toEqual(manifests.map(() => 0))
    }))
})

describe('where manifests come from', () => {
  test('standard input, several files, and a URL whose status is looked at', () =>
    withLeakCheck(cell, async () => {
      await succeeds(cell, ['kube', 'play', '-'], { input: podText('piped') })
      await succeeds(cell, ['kube', 'play', file('a.yaml', podText('file-a')), file('b.yaml', podText('file-b'))])
      const serve = `cd ${shared} && busybox httpd -f -p 127.0.0.1:8123 & server=$!; sleep 0.2
        ${launcher(cell)} kube play http://127.0.0.1:8123/c.yaml; echo "code $?"
        ${launcher(cell)} kube play http://127.0.0.1:8123/absent.yaml; echo "code $?"; kill $server`
      file('c.yaml', podText('fetched'))
      const served = await cell.sh(`( ${serve} ) 2>&1`)
      expect(served.stdout).toMatch(/Pod:\n[0-9a-f]{64}\n[\s\S]*code 0\n[\s\S]*404[\s\S]*code 125\n/)
      expect((await pods(cell)).map(({ name }) => name).sort()).toEqual(['fetched', 'file-a', 'file-b', 'piped'])
      await succeeds(cell, ['kube', 'down', ...['a.yaml', 'b.yaml', 'c.yaml'].map(name => join(shared, name))])
      await succeeds(cell, ['kube', 'down', '-'], { input: podText('piped') })
    }))
})

describe('kube down', () => {
  test('of what is gone succeeds and prints empty headings', async () => {
    const down = await succeeds(cell, ['kube', 'down', '-'], { input: podText('never-was') })
    expect(down).toBe('Pods stopped:\nPods removed:\nSecrets removed:\nVolumes removed:\n')
  })

  test('takes a container that ignores TERM down after its grace period', () =>
    withLeakCheck(cell, async () => {
      const text = podText('deaf', { script: "trap '' TERM; while :; do sleep 1; done" })
      const impatient = text.replace('"terminationGracePeriodSeconds": 5', '"terminationGracePeriodSeconds": 1')
      await succeeds(cell, ['kube', 'play', '-'], { input: impatient })
      const started = performance.now()
      await succeeds(cell, ['kube', 'down', '-'], { input: impatient })
      expect(performance.now() - started).toBeGreaterThan(1_000)
      expect(performance.now() - started).toBeLessThan(6_000)
    }))
})

describe('--start=false', () => {
  test('creates everything and starts nothing', () =>
    withLeakCheck(cell, async () => {
      const text = podText('idle')
      await succeeds(cell, ['kube', 'play', '--start=false', '-'], { input: text })
      expect((await containers(cell)).map(({ name, state }) => `${name} ${state}`)).toEqual(['idle-c1 created'])
      expect((await pods(cell)).map(({ phase }) => phase)).toEqual(['Pending'])
      await succeeds(cell, ['kube', 'down', '-'], { input: text })
    }))
})

describe('a manifest with ten mistakes', () => {
  const TEN = `apiVersion: v1
kind: Pod
metadata:
  name: Not_A_Name
spec:
  restartPolicy: Sometimes
  terminationGracePeriodSeconds: soon
  hostNetwrok: true
  containers:
    - name: web
      image: localhost/tspod-demo:latest
      imagePullPolicy: Perhaps
      ports:
        - containerPort: 99999
      env:
        - name: A
          valueFrom:
            configMapKeyRef: {name: absent, key: a}
      resources:
        limits: {memory: lots}
      volumeMounts:
        - {name: nowhere, mountPath: /data}
    - name: web
      image: localhost/tspod-demo:latest
`

  test('gives ten messages with their places, ends with 125 and creates nothing', async () => {
    const before = await snapshotIn(cell)
    const refused = await tspod(cell, ['kube', 'play', file('ten.yaml', TEN)])
    expect(refused.exitCode).toBe(125)
    const places = refused.stderr.split('\n').filter(line => /ten\.yaml:\d+:\d+/.test(line))
    expect(places).toHaveLength(10)
    expect(refused.stderr).toMatch(/\^/)
    expect(refused.stdout).toBe('')
    expect(difference(before, await snapshotIn(cell))).toEqual([])
  })
})

test('a port that is taken: 125, the port is named, and nothing is left', () =>
  withLeakCheck(cell, async () => {
    const text = podText('ports', { port: 18_080 })
    const busy = `busybox nc -l -p 18080 </dev/null >/dev/null & sleep 0.2; ${launcher(cell)} kube play - ; code=$?; kill $!; exit $code`
    const refused = await cell.sh(busy, { input: text })
    expect(refused.exitCode).toBe(125)
    expect(refused.stderr).toMatch(/18080/)
    await succeeds(cell, ['kube', 'down', '-'], { input: text })
    expect(await pods(cell)).toEqual([])
  }))

test('the leak counters see what is left behind', async () => {
  const leave = [
    'ip link add leaked type bridge',
    'mkdir -p /run/tspod/leaked && mount -t tmpfs none /run/tspod/leaked',
    'iptables -A INPUT -p tcp --dport 4242 -j ACCEPT',
    'mkdir /sys/fs/cgroup/pids/tspod-leaked',
    'ip netns add leaked',
    'unshare --pid --fork --kill-child sh -c "sleep 20" </dev/null >/dev/null 2>&1 & echo $! >/run/leaked-pid',
  ].join('\n')
  await expect(withLeakCheck(cell, () => cell.sh(leave))).rejects.toThrow(
    /mounts: tmpfs \/run\/tspod\/leaked[\s\S]*links: bridge leaked[\s\S]*iptables[\s\S]*4242[\s\S]*cgroups: [^\n]*tspod-leaked[\s\S]*processes: /s,
  )
  await expect(withLeakCheck(cell, async () => undefined)).resolves.toBeUndefined()
  const undo =
    'ip link delete leaked; umount /run/tspod/leaked; rmdir /run/tspod/leaked /sys/fs/cgroup/pids/tspod-leaked'
  await cell.sh(
    `${undo}; iptables -D INPUT -p tcp --dport 4242 -j ACCEPT; ip netns delete leaked; kill -9 $(cat /run/leaked-pid)`,
  )
  expect((await cell.exec(program(cell, 'test/support/snapshot.ts'))).exitCode).toBe(0)
})
