/** What a source may be besides files, as a whole: what is rendered, mounted and signed, until it runs. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { kustomizeLacks } from '../../support/kustomize.ts'
import type { Place } from '../../support/place.ts'
import { makeKey, Repository, signingWith } from '../../support/repository.ts'
import { testUnless } from '../../support/requires.ts'
import { containers, DEMO_IMAGE, podText, readyCell, specText, succeeds, tspod } from '../../support/tspod.ts'

const kustomizeTest = testUnless(await kustomizeLacks())

let cell: Place
let area: string
let app: Repository
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterAll(() => cell?.remove())
beforeEach(() => {
  area = fs.mkdtempSync('/var/tmp/tspod-gitops-')
  fs.chmodSync(area, 0o755)
  app = new Repository(join(area, 'app'))
})
afterEach(async () => {
  await tspod(cell, ['gitops', 'remove', 'shop', '--prune'])
  fs.rmSync(area, { recursive: true, force: true })
})

const add = async (...source: string[]): Promise<void> => {
  await succeeds(cell, ['gitops', 'add', 'shop', '--watch=false', '--timeout=60s', ...source])
}
const reconcile = (): Promise<string> => succeeds(cell, ['gitops', 'reconcile', 'shop'])
const running = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await containers(cell))
      .filter(({ state }) => state === 'running')
      .map(({ pod, id, pid }) => [pod, `${id} ${pid}`]),
  )

describe('files beside the manifests', () => {
  const serving = (name: string): string =>
    specText(name, {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'c',
          image: DEMO_IMAGE,
          command: ['sh', '-c', "trap 'exit 0' TERM; sleep 100000 & wait"],
          volumeMounts: [{ name: 'html', mountPath: '/html', readOnly: true }],
        },
      ],
      volumes: [{ name: 'html', hostPath: { path: './html', type: 'Directory' } }],
    })
  const page = (): Promise<string> => succeeds(cell, ['exec', 'web-c', 'cat', '/html/page'])

  test('are mounted as they were committed; only a commit that changes them restarts who mounts them', async () => {
    app.commit({ 'web.yaml': serving('web'), 'html/page': 'one\n', 'other.yaml': podText('other') })
    await add('--dir', join(area, 'app'))
    await reconcile()
    expect(await page()).toBe('one\n')
    const first = await running()

    app.write('html/page', 'not committed\n')
    app.git('checkout', '--quiet', '--', 'html')
    app.commit({ 'third.yaml': podText('third') })
    await reconcile()
    expect(await running()).toEqual({ ...first, third: expect.any(String) })

    app.commit({ 'html/page': 'two\n' })
    // The mount of what runs is not touched by what is read.
    await tspod(cell, ['gitops', 'diff', 'shop'])
    expect(await page()).toBe('one\n')
    await reconcile()
    expect(await page()).toBe('two\n')
    const last = await running()
    expect(last.other).toBe(first.other)
    expect(last.web).not.toBe(first.web)
  })
})

describe('a kustomization', () => {
  kustomizeTest('is what runs, and a mistake in it changes nothing', async () => {
    app.commit({
      'base/kustomization.yaml': 'resources: [web.yaml]\n',
      'base/web.yaml': podText('web'),
      'prod/kustomization.yaml': 'resources: [../base]\nnamePrefix: prod-\n',
    })
    await add('--dir', join(area, 'app'), '--path', 'prod')
    await reconcile()
    const before = await running()
    expect(Object.keys(before)).toEqual(['prod-web'])
    app.commit({ 'base/web.yaml': podText('web').replace('containers', 'contaners') })
    const { exitCode, stderr, stdout } = await tspod(cell, ['gitops', 'reconcile', 'shop'])
    expect(exitCode).not.toBe(0)
    expect(stdout + stderr).toContain('prod/kustomization.yaml#Pod/prod-web (base/web.yaml)')
    expect(await running()).toEqual(before)
  })
})

describe('signed commits', () => {
  test('are what runs, with the name of who has signed; others change nothing', async () => {
    const [ada, eve] = [makeKey(area, 'ada'), makeKey(area, 'eve')]
    fs.writeFileSync(join(area, 'signers'), `ada@example.com ${ada.publicKey}\n`)
    const sign = (key: string, name: string): void => {
      app.write(`${name}.yaml`, podText(name))
      app.git('add', '--all')
      app.git(...signingWith(key), 'commit', '--quiet', '--gpg-sign', '--message=signed')
    }
    sign(ada.file, 'one')
    await add('--dir', join(area, 'app'), '--verify', join(area, 'signers'))
    await reconcile()
    const before = await running()
    expect(Object.keys(before)).toEqual(['one'])
    expect(await succeeds(cell, ['gitops', 'status', 'shop'])).toContain('ada@example.com')
    sign(eve.file, 'two')
    const refused = await tspod(cell, ['gitops', 'reconcile', 'shop'])
    expect([refused.exitCode, refused.stdout + refused.stderr]).toEqual([1, expect.stringContaining('not trusted')])
    expect(await running()).toEqual(before)
    sign(ada.file, 'three')
    await reconcile()
    expect(Object.keys(await running()).sort()).toEqual(['one', 'three', 'two'])
  })
})
