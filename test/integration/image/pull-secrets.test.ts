/** imagePullSecrets against a real registry that wants a password, and where that password is to be found afterwards. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { type Place, program } from '../../support/place.ts'
import { readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'

let cell: Place
let registry: { host: string; user: string; password: string; certDir: string }
beforeAll(async () => {
  cell = await readyCell()
  await cell.sh('mkdir /tmp/registry')
  const started = await cell.exec([...program(cell, 'test/support/serve-registry.ts'), '/tmp/registry'])
  registry = JSON.parse(started.stdout) as typeof registry
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** A pod of the registry's image that names a Secret with `password`. */
function manifest(password: string): string {
  const auths = { [registry.host]: { auth: base64(`${registry.user}:${password}`) } }
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'regcred' },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': base64(JSON.stringify({ auths })) },
  }
  const spec = {
    terminationGracePeriodSeconds: 0,
    imagePullSecrets: [{ name: 'regcred' }],
    containers: [{ name: 'main', image: `${registry.host}/team/app:1` }],
  }
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'private' }, spec }
  return `---\n${JSON.stringify(secret)}\n---\n${JSON.stringify(pod)}\n`
}

// shows: PodSpec.imagePullSecrets LocalObjectReference.name
test('S20 a pull secret opens the registry, and its password is nowhere but in the secret', async () => {
  const flags = ['--log-level', 'debug', 'kube', 'play', '--cert-dir', registry.certDir]
  const refused = await tspod(cell, [...flags, '-'], { input: manifest('wrong password') })
  expect([refused.exitCode, refused.stderr]).toEqual([125, expect.stringContaining('wrong user name or password')])
  await takeDownAll(cell)
  await succeeds(cell, ['kube', 'down', '--force', '-'], { input: manifest('') })

  const played = await tspod(cell, [...flags, '-'], { input: manifest(registry.password) })
  expect(played).toMatchObject({ exitCode: 0 })
  expect((await succeeds(cell, ['ps', '--format', '{{.Names}} {{.State}}'])).trim()).toBe('private-main running')
  const told = `${played.stdout}${played.stderr}${await succeeds(cell, ['events', '--stream=false'])}${await succeeds(cell, ['inspect', 'private-main'])}`
  const words = [registry.password, base64(`${registry.user}:${registry.password}`)]
  expect(words.filter(word => told.includes(word))).toEqual([])
  const places = '/var/lib/tspod /run /var/log/tspod /etc/tspod /root/.docker /root/.config /tmp'
  // A checkout below /tmp has the password in its tests.
  const found = await cell.sh(
    `grep -rlaE '${words.join('|')}' ${places} 2>/dev/null | grep -vE '^(/tmp/registry|${cell.checkout}/)'; for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -qE '${words.join('|')}' && cat $p/comm; done`,
  )
  // The look itself has the words among its arguments.
  expect(found.stdout.replaceAll(/^(sh|setpriv|nsenter|env)\n/gm, '')).toBe('')
})
