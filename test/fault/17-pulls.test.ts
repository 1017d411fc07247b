/** F17: skopeo that is killed, hangs or gives up in the middle of a pull. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { faultyCell, inFrontOf, others, sh, takeDownOthers, unharmed } from '../support/faults.ts'
import { writeImageLayout } from '../support/image.ts'
import type { Place } from '../support/place.ts'
import { podText, tspod } from '../support/tspod.ts'

const IMAGE = '127.0.0.1:5005/pulled:1'
const TEXT = podText('pulling').replaceAll(/"image": "[^"]+"/g, `"image": "${IMAGE}"`)

let cell: Place
let shared: string
beforeAll(async () => {
  cell = await faultyCell()
  shared = mkdtempSync('/var/tmp/tspod-pull-test-')
  // Big enough to be killed in the middle of, and of no use to the bystander.
  writeImageLayout(shared, { files: { '/big': { content: randomBytes(6 * 1024 * 1024) } } })
  // A registry without a password inside the cell, with that image in it.
  await sh(
    cell,
    `mkdir -p /run/registry /etc/containers/registries.conf.d
     printf 'version: 0.1\\nlog: { level: error }\\nstorage: { filesystem: { rootdirectory: /run/registry/data } }\\nhttp: { addr: "127.0.0.1:5005" }\\n' >/run/registry/config.yml
     setsid docker-registry serve /run/registry/config.yml >/dev/null 2>&1 </dev/null &
     for i in $(seq 100); do if curl -s -o /dev/null http://127.0.0.1:5005/v2/; then break; fi; sleep 0.1; done
     skopeo --insecure-policy copy -q --dest-tls-verify=false oci:${shared} docker://${IMAGE}`,
  )
  // The first pull makes directories for all to come.
  await play()
  await tspod(cell, ['kube', 'down', '-'], { input: TEXT })
  await forget()
}, 60_000)
afterEach(() => takeDownOthers(cell))
afterAll(async () => {
  await cell?.remove()
  rmSync(shared, { recursive: true, force: true })
})

const play = () => tspod(cell, ['kube', 'play', '--tls-verify=false', '-'], { input: TEXT })
const forget = () => sh(cell, `skopeo delete containers-storage:${IMAGE}`)

const ways: Record<string, string> = {
  'is killed at once': 'kill -9 $$',
  'is killed when the image is all but there': '"$real" "$@"; kill -9 $$',
  'is killed at its 200th write':
    'exec strace -f -qq -o /dev/null -e inject=write,pwrite64:signal=KILL:when=200 "$real" "$@"',
  'is killed at its first rename':
    'exec strace -f -qq -o /dev/null -e inject=renameat,renameat2,rename:signal=KILL:when=1 "$real" "$@"',
  'says no': 'echo "FATA[0000] told to fail" >&2; exit 1',
}

for (const [how, script] of Object.entries(ways)) {
  test(`F17 skopeo ${how}: the play names the image, nothing is left, and the next pull works`, () =>
    unharmed(cell, async () => {
      const mend = await inFrontOf(
        cell,
        '/usr/bin/skopeo',
        `case " $* " in *" copy "*) ;; *) exec $real "$@";; esac\n${script}`,
      )
      const failed = await play().finally(mend)
      if (failed.exitCode !== 0) {
        expect(failed).toMatchObject({ exitCode: 125 })
        expect(failed.stderr).toContain(IMAGE)
        expect(await others(cell)).toEqual([])
      }
      await tspod(cell, ['kube', 'down', '-'], { input: TEXT })
      expect(await play()).toMatchObject({ exitCode: 0 })
      expect((await others(cell)).map(({ state }) => state)).toEqual(['running'])
      expect(await tspod(cell, ['kube', 'down', '-'], { input: TEXT })).toMatchObject({ exitCode: 0 })
      await forget()
    }))
}
