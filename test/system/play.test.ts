import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals'
import { withLeakCheck } from '../support/leaks.ts'
import { type Machine, startMachine } from '../support/machine.ts'
import { checkNamespaces } from '../support/namespaces.ts'
import { program } from '../support/place.ts'
import { testUnless } from '../support/requires.ts'
import { playThreeOfEverything, threeOfEverything } from '../support/three.ts'
import { machineLack } from '../support/tree.ts'
import { containers, pods, podText, succeeds, takeDownAll, tspod, WAIT_COMMAND, warmUp } from '../support/tspod.ts'
import { eventually } from '../support/wait.ts'

/** netavark and aardvark-dns once lost track of each other in every other round of many pods. */
const ROUNDS = 4
const RUNTIMES = ['crun', 'runc']
const MACHINE_ADDRESS = '192.0.2.20'
/** Its cgroup v2 has no cpu and memory controllers: on the development machines they live in v1 trees. */
const MANIFEST = threeOfEverything({ limits: false })
const lack = await machineLack()
const onMachine = testUnless(lack)
let machine: Machine

beforeAll(async () => {
  if (lack !== undefined) return
  machine = await startMachine()
  await prepare()
}, 240_000)
afterEach(async () => {
  if (machine !== undefined) await takeDownAll(machine)
})
afterAll(() => machine?.remove())

/** What a boot does not keep: an address; and what a first use makes. */
async function prepare(): Promise<void> {
  await addAddress()
  const image = await machine.exec(program(machine, 'scripts/demo-image.ts'))
  expect(image.stderr).toBe('')
  for (const runtime of RUNTIMES) await warmUp(machine, runtime)
}

describe('on Debian 13 with systemd and cgroup v2', () => {
  for (const runtime of RUNTIMES) {
    onMachine(`two init containers, three containers, files, secrets, a claim and ports, with ${runtime}`, () =>
      playThreeOfEverything(machine, { runtime, address: MACHINE_ADDRESS, manifest: MANIFEST }),
    )
  }

  for (const runtime of RUNTIMES) {
    onMachine(`cgroups of a container are its own and not writable, with ${runtime}`, () =>
      withLeakCheck(machine, async () => {
        await checkNamespaces(machine, [], runtime)
        await checkNamespaces(machine, ['hostPID', 'hostIPC'], runtime)
        await checkNamespaces(machine, ['shareProcessNamespace'], runtime)
      }),
    )
  }

  onMachine('a pod outlives the unit that played it, in a scope of its own', () =>
    withLeakCheck(machine, async () => {
      // Every command here runs in a transient unit that is gone once the command has ended.
      const huge = `"resources": { "limits": { "hugepages-2Mi": "4Mi" }, "requests": { "memory": "1Mi" } }, "containers": [`
      const text = podText('lasting').replace('"containers": [', huge)
      await succeeds(machine, ['kube', 'play', '-'], { input: text })
      const [container] = await containers(machine)
      expect(container).toMatchObject({ state: 'running' })
      const cgroup = await machine.sh(`cat /proc/${container!.pid}/cgroup`)
      expect(cgroup.stdout).toMatch(/^0::\/machine\.slice\/tspod-pod-lasting-[0-9a-f]{12}\.scope\//m)
      // The only controller that the machine has, and it is for all containers of the pod together.
      const scope = /^0::(.*\.scope)\//m.exec(cgroup.stdout)?.[1]
      expect((await machine.sh(`cat '/sys/fs/cgroup${scope}/hugetlb.2MB.max'`)).stdout).toBe(`${4 * 1024 * 1024}\n`)
      // So does what answers for the names of all pods.
      const resolver = await machine.sh('cat /proc/$(cat /run/tspod/net/aardvark-dns/aardvark.pid)/cgroup')
      expect(resolver.stdout).toMatch(/^0::\/system\.slice\/tspod-resolver-\d+\.scope$/m)
      await succeeds(machine, ['kube', 'down', '-'], { input: text })
    }),
  )

  onMachine('what a container prints is in the journal as well, under its name', () =>
    withLeakCheck(machine, async () => {
      const text = podText('speaking', { script: `echo said-once; ${WAIT_COMMAND}` })
      await succeeds(machine, ['kube', 'play', '-'], { input: text })
      const lines = await eventually(
        async () => (await machine.sh('journalctl --output=cat CONTAINER_NAME=speaking-c1')).stdout,
        said => said !== '',
      )
      expect(lines.trim()).toBe('said-once')
      expect(await succeeds(machine, ['logs', 'speaking/c1'])).toBe('said-once\n')
      await succeeds(machine, ['kube', 'down', '-'], { input: text })
    }),
  )

  onMachine('the unit plays its manifest when it starts and takes it down when it stops', () =>
    withLeakCheck(machine, async () => {
      const manifest = '/etc/my apps/web 1%.yaml'
      await machine.sh(`mkdir -p '/etc/my apps' && cat >'${manifest}' <<'EOF'\n${podText('served')}\nEOF`)
      await succeeds(machine, ['systemd', 'install'])
      const [unit = ''] = (
        await machine.exec(['systemd-escape', '--template=tspod-kube@.service', manifest])
      ).stdout.split('\n')
      expect(await machine.exec(['systemctl', 'start', unit])).toMatchObject({ exitCode: 0 })
      expect((await machine.exec(['systemctl', 'is-active', unit])).stdout).toBe('active\n')
      const mainPid = (await machine.exec(['systemctl', 'show', '-P', 'MainPID', unit])).stdout.trim()
      expect(await machine.exec(['cat', `/proc/${mainPid}/comm`])).toMatchObject({ stdout: 'conmon\n' })
      expect((await pods(machine)).map(({ name, phase }) => `${name} ${phase}`)).toEqual(['served Running'])
      expect(await machine.exec(['systemctl', 'stop', unit])).toMatchObject({ exitCode: 0 })
      expect((await machine.exec(['systemctl', 'is-active', unit])).stdout).toBe('inactive\n')
      expect(await pods(machine)).toEqual([])
      await succeeds(machine, ['systemd', 'uninstall'])
      await machine.sh("rm -r '/etc/my apps'")
      // systemd keeps the slice of a template's instances until it is told.
      await machine.exec(['systemctl', 'stop', 'system-tspod\\x2dkube.slice'])
    }),
  )

  onMachine('tspod and Podman share the image store and leave each other alone', () =>
    withLeakCheck(machine, async () => {
      const images = await machine.exec(['podman', 'image', 'exists', 'localhost/tspod-demo:latest'])
      expect(images.exitCode).toBe(0)
      await succeeds(machine, ['kube', 'play', '-'], { input: podText('neighbour') })
      expect((await machine.exec(['podman', 'ps', '-aq'])).stdout).toBe('')
      const inUse = await machine.exec(['podman', 'image', 'rm', 'localhost/tspod-demo:latest'])
      expect(inUse.exitCode).not.toBe(0)
      await succeeds(machine, ['kube', 'down', '-'], { input: podText('neighbour') })
    }),
  )

  onMachine('twenty pods of one manifest come, are found by name, and go, again and again', () =>
    withLeakCheck(machine, async () => {
      const names = Array.from({ length: 20 }, (_, n) => `many-${n}`)
      const manifest = names.map(name => podText(name)).join('')
      for (let round = 0; round < ROUNDS; round++) {
        const played = await tspod(machine, ['kube', 'play', '-'], { input: manifest })
        expect(`${played.exitCode} ${played.stderr}`).toBe('0 ')
        const addresses = new Map((await pods(machine)).map(({ name, ips }) => [name, ips[0]]))
        expect(new Set(addresses.values()).size).toBe(names.length)
        const lookUp = names.map(name => `nslookup ${name}`).join('; ')
        const answers = await succeeds(machine, ['exec', 'many-0-c1', 'sh', '-c', lookUp])
        for (const address of addresses.values()) expect(answers).toContain(`Address: ${address}\n`)
        await succeeds(machine, ['kube', 'down', '-'], { input: manifest })
      }
    }),
  )

  onMachine('after a power cut the same play works again, and down leaves nothing of either boot', async () => {
    const before = await podsAfterWarmUp()
    await succeeds(machine, ['kube', 'play', '-'], { input: MANIFEST })
    await machine.crash()
    await machine.boot()
    await addAddress()
    expect((await containers(machine)).filter(({ state }) => state === 'running')).toEqual([])
    const again = await tspod(machine, ['kube', 'play', '--replace', '-'], { input: MANIFEST })
    expect(`${again.exitCode} ${again.stderr.replace(/^note: .*\n/gm, '')}`).toBe('0 ')
    expect((await pods(machine)).map(({ phase }) => phase)).toEqual(['Running'])
    await succeeds(machine, ['kube', 'down', '-'], { input: MANIFEST })
    expect(await podsAfterWarmUp()).toEqual(before)
  })
})

/** Root file systems in the image store, and rows: what a power cut could leave for ever. */
async function podsAfterWarmUp(): Promise<string> {
  const kept = await machine.sh('containers-storage containers; find /var/lib/tspod/pods /var/log/tspod -mindepth 1')
  return `${kept.stdout}${JSON.stringify(await pods(machine))}`
}

/** The machine has no network of its own: an interface with a default route makes it like a host that has. */
async function addAddress(): Promise<void> {
  await machine.sh(`ip link add eth0 type veth peer name uplink && ip link set uplink up && ip link set eth0 up &&
    ip address add ${MACHINE_ADDRESS}/24 dev eth0 && ip route add default via 192.0.2.1`)
}
