/** F14 to F16, F41, F42: netavark that fails, and networks that others take apart. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { faultyCell, inFrontOf, others, sh, takeDownOthers, unharmed } from '../support/faults.ts'
import { withLeakCheck } from '../support/leaks.ts'
import type { Place } from '../support/place.ts'
import { testUnless } from '../support/requires.ts'
import { pods, podText, readyCell, succeeds, takeDownAll, tspod } from '../support/tspod.ts'

const NETAVARK = '/usr/lib/podman/netavark'
const TEXT = podText('torn', { port: 18_080 })

let cell: Place
/** Where whole networks are taken apart, which no bystander would survive. */
let bare: Place
beforeAll(async () => {
  cell = await faultyCell()
  bare = await readyCell()
}, 60_000)
afterEach(() => Promise.all([takeDownOthers(cell), takeDownAll(bare)]))
afterAll(() => Promise.all([cell?.remove(), bare?.remove()]))

const play = (place = cell) => tspod(place, ['kube', 'play', '-'], { input: TEXT })
const down = (place = cell) => tspod(place, ['kube', 'down', '-'], { input: TEXT })

const broken = {
  'says no': `case " $* " in *" VERB "*) echo '{"error":"told to fail"}'; exit 1;; esac\nexec $real "$@"`,
  'is killed half-way': `case " $* " in *" VERB "*) $real "$@"; kill -9 $$;; esac\nexec $real "$@"`,
  'is killed at once': `case " $* " in *" VERB "*) kill -9 $$;; esac\nexec $real "$@"`,
}

for (const [how, script] of Object.entries(broken)) {
  test(`F14 netavark ${how} in setup: play names the network and leaves nothing, the next one works`, () =>
    unharmed(cell, async () => {
      const mend = await inFrontOf(cell, NETAVARK, script.replace('VERB', 'setup'))
      const failed = await play().finally(mend)
      expect(failed.exitCode).toBe(125)
      expect(failed.stderr).toMatch(/network|netavark/)
      expect(await others(cell)).toEqual([])
      expect(await play()).toMatchObject({ exitCode: 0 })
      expect(await down()).toMatchObject({ exitCode: 0 })
    }))

  test(`F15 netavark ${how} in teardown: down says so, the next one finishes it`, () =>
    unharmed(cell, async () => {
      expect(await play()).toMatchObject({ exitCode: 0 })
      const mend = await inFrontOf(cell, NETAVARK, script.replace('VERB', 'teardown'))
      const failed = await down().finally(mend)
      if (how !== 'is killed half-way') {
        expect(failed.exitCode).not.toBe(0)
        expect(failed.stderr).toMatch(/network/)
        // Its address stays its own until its link is gone.
        expect((await pods(cell)).map(({ name }) => name)).toContain('torn')
      }
      expect(await down()).toMatchObject({ exitCode: 0 })
    }))
}

test('F16 aardvark-dns killed: the next pod brings it back, and names are found again', () =>
  unharmed(cell, async () => {
    await sh(cell, 'pkill -9 -x aardvark-dns')
    expect(await play()).toMatchObject({ exitCode: 0 })
    const found = await tspod(cell, ['exec', 'torn', 'nslookup', 'bystander'])
    expect(`${found.stdout}${found.stderr}`).toMatch(/Address.*10\./)
    expect(await down()).toMatchObject({ exitCode: 0 })
  }))

testUnless('networks without root come later: no pod has a pasta yet')(
  'F16 pasta killed: the pod is degraded and mended',
  () => undefined,
)

const BESIDE = podText('beside')

/** What else is on the network has to be played anew as well: nothing puts back what others take away. */
const torn = {
  'F41 the network namespace is unmounted': 'umount /run/tspod/pods/$id/ns/net',
  'F41 the network namespace is unmounted and its file removed':
    'umount /run/tspod/pods/$id/ns/net; rm /run/tspod/pods/$id/ns/net',
  'F41 all namespaces are unmounted': 'umount /run/tspod/pods/$id/ns/*',
  'F42 the link of the pod is deleted': 'nsenter --net=/run/tspod/pods/$id/ns/net ip link del eth0',
  'F42 the firewall is flushed': 'nft flush ruleset; iptables -F; iptables -t nat -F; iptables -t nat -X',
  'F42 the bridge is deleted': 'ip link del $(ip -o link show type bridge | cut -d: -f2)',
}

for (const [what, line] of Object.entries(torn)) {
  test(`${what}: ps answers, fsck finds it, the next play works, and down leaves nothing`, () =>
    withLeakCheck(bare, async () => {
      await succeeds(bare, ['kube', 'play', '-'], { input: BESIDE })
      expect(await play(bare)).toMatchObject({ exitCode: 0 })
      const { id } = (await pods(bare)).find(({ name }) => name === 'torn')!
      await sh(bare, `id=${id}; ${line}`)
      await succeeds(bare, ['ps'])
      const checked = await tspod(bare, ['system', 'fsck'])
      expect(checked).toMatchObject({ exitCode: 1 })
      expect(checked.stdout).toMatch(/I2 pod torn: /)
      expect(await down(bare)).toMatchObject({ exitCode: 0 })
      expect(await play(bare)).toMatchObject({ exitCode: 0 })
      expect(await down(bare)).toMatchObject({ exitCode: 0 })
      await succeeds(bare, ['kube', 'down', '-'], { input: BESIDE })
    }))
}
