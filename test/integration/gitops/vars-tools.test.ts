/** Values of a host in manifests that a tool has written anew: the real kustomize, and what stands in for SOPS. */
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { appText, type Sources, sourcesOn } from '../../support/gitops.ts'
import { kustomizeLacks } from '../../support/kustomize.ts'
import type { Place } from '../../support/place.ts'
import { testUnless } from '../../support/requires.ts'
import { readyCell, succeeds } from '../../support/tspod.ts'

const kustomizeTest = testUnless(await kustomizeLacks())

const FILE = '/tmp/shop.env'
/** What YAML would take for something else. */
const SIGNS = `it's #1: "a" \\n`
let cell: Place
let sources: Sources
beforeAll(async () => {
  cell = await readyCell()
  sources = sourcesOn(cell)
  const double = join(cell.checkout, 'test/support/bin/sops')
  await sources.sh(
    `mkdir /tmp/bin && cp -a /usr/local/bin/. /tmp/bin && cp ${double} /tmp/bin && mount --bind /tmp/bin /usr/local/bin`,
  )
}, 60_000)
afterAll(() => cell?.remove())
beforeEach(async () => {
  await sources.clear()
  await values(`VALUE=${SIGNS}`, 'PORT=18082', 'NAME=web')
})

const values = (...lines: string[]): Promise<string> => sources.write(FILE, `${lines.join('\n')}\n`)
const printed = (pod: string, name: string): Promise<string> =>
  succeeds(cell, ['exec', `${pod}-app`, 'sh', '-c', `printf %s "$${name}"`])

const WEB = appText('${NAME}', '${VALUE}', {
  env: [
    { name: 'VALUE', value: '${VALUE}' },
    { name: 'PORT', value: '${PORT}' },
    { name: 'CONF', valueFrom: { configMapKeyRef: { name: 'conf', key: 'conf' } } },
  ],
  ports: [{ containerPort: 80, hostPort: '${PORT}' }],
})

describe('with a kustomization', () => {
  const FILES = {
    'base/kustomization.yaml':
      'resources: [web.yaml]\nconfigMapGenerator:\n- name: conf\n  literals: ["conf=${VALUE}"]\n',
    'base/web.yaml': WEB,
    'prod/kustomization.yaml': 'resources: [../base]\nnamePrefix: prod-\n',
  }
  beforeEach(async () => {
    await sources.repository('shop', FILES)
    await sources.add('shop', '--path', 'prod', '--vars', FILE)
  })

  kustomizeTest('values are what their fields want, and a change of one counts like a commit', async () => {
    expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
    expect([await printed('prod-web', 'VALUE'), await printed('prod-web', 'CONF')]).toEqual([SIGNS, SIGNS])
    expect(await printed('prod-web', 'PORT')).toBe('18082')
    expect(await succeeds(cell, ['port', 'prod-web-app'])).toContain('18082')
    expect(await sources.reconcile('shop')).toMatchObject({ run: { outcome: 'unchanged' } })
    await values('VALUE=true', 'PORT=18082', 'NAME=web')
    expect(await sources.reconcile('shop')).toMatchObject({ run: { outcome: 'applied' } })
    expect([await printed('prod-web', 'VALUE'), await printed('prod-web', 'CONF')]).toEqual(['true', 'true'])
    // What is exported is YAML that others read in the same way.
    const exported = await succeeds(cell, ['gitops', 'export', 'shop'])
    expect(exported).toContain("value: 'true'")
    expect(exported).toContain('hostPort: 18082')
  })

  kustomizeTest('what is missing or wrong is told with the object that kustomize made, and its file', async () => {
    await values('VALUE=x', 'NAME=web', 'PORT=s3cret')
    const wrong = await sources.reconcile('shop')
    expect(wrong.run).toMatchObject({ outcome: 'refused', failure: { stage: 'validate', code: 'MANIFEST_INVALID' } })
    expect(wrong.run.failure?.details).toMatch(
      /^prod\/kustomization\.yaml#Pod\/prod-\$\{NAME\} \(base\/web\.yaml\):\d+:\d+ error [A-Z_]+.*hostPort/m,
    )
    expect(JSON.stringify(wrong)).not.toContain('s3cret')
    await values('VALUE=x', 'NAME=web')
    const missing = await sources.reconcile('shop')
    expect(missing.run.failure?.details).toMatch(
      /\(base\/web\.yaml\):\d+:\d+ error NOT_FOUND\n.*PORT in \/tmp\/shop\.env/,
    )
  })

  kustomizeTest('where kustomize cannot read them is said by it', async () => {
    await sources.commit('shop', { 'base/web.yaml': WEB.replace(/^.*$/s, 'kind: Pod\nmetadata: {name: ${NAME}}\n') })
    const { run } = await sources.reconcile('shop')
    expect(run).toMatchObject({ outcome: 'refused', failure: { stage: 'render', code: 'SOURCE_RENDER' } })
    expect(run.failure?.message).toContain('web.yaml')
  })
})

describe('with SOPS', () => {
  const KEY = 'AGE-SECRET-KEY-1CANARY'
  const sealed = (text: string): string => {
    const bytes = Buffer.from(text).map(byte => byte ^ KEY.charCodeAt(0))
    return `ENC[${Buffer.from(bytes).toString('hex')}]`
  }
  const recipient = [...KEY].reverse().join('')
  const secret = (value: string): string =>
    `apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\nstringData:\n  key: ${sealed(value)}\nsops:\n  age:\n  - recipient: ${recipient}\n  mac: x\n`

  test('values are put into what was encrypted as well, and neither is told or kept with the source', async () => {
    await sources.write('/tmp/age', KEY)
    const env = [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'key' } } }]
    await sources.repository('shop', {
      'keys.yaml': secret('${VALUE} and canary'),
      'web.yaml': appText('web', '', { env }),
    })
    await sources.add('shop', '--vars', FILE, '--age-key', '/tmp/age')
    expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
    expect(await printed('web', 'KEY')).toBe(`${SIGNS} and canary`)
    expect(await sources.sh('grep -rl canary /var/lib/tspod/gitops || true')).toBe('')
    const missing = await values('OTHER=s3cret').then(() => sources.reconcile('shop'))
    expect(missing.run.failure?.details).toMatch(/^keys\.yaml:6:\d+ error NOT_FOUND\n.*VALUE in \/tmp\/shop\.env/)
    expect(JSON.stringify(missing)).not.toContain('canary')
  })
})
