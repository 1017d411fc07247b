/** Kustomizations, built where they can do nothing. */
import * as fs from 'node:fs'
import { createServer } from 'node:http'
import { afterEach, beforeEach, describe, expect } from '@jest/globals'
import { kustomizeLacks } from '../../support/kustomize.ts'
import { Repository } from '../../support/repository.ts'
import { testUnless } from '../../support/requires.ts'
import { SourceArea } from '../../support/source.ts'

const kustomizeTest = testUnless(await kustomizeLacks())

let area: SourceArea
let app: Repository
beforeEach(() => {
  area = new SourceArea()
  app = new Repository(area.at('app'))
})
afterEach(() => area.remove())

const FILES = {
  'base/kustomization.yaml': 'resources: [web.yaml]\nconfigMapGenerator:\n- name: conf\n  files: [settings.ini]\n',
  'base/settings.ini': 'colour = blue\n',
  'base/web.yaml': [
    'apiVersion: v1',
    'kind: Pod',
    'metadata: {name: web}',
    'spec:',
    '  containers:',
    '  - {name: c, image: nginx, envFrom: [{configMapRef: {name: conf}}]}',
    '',
  ].join('\n'),
  'prod/kustomization.yaml': [
    'resources: [../base]',
    'namePrefix: prod-',
    'labels: [{pairs: {env: prod}}]',
    'images: [{name: nginx, newName: localhost/nginx, newTag: "3"}]',
    'patches:',
    '- target: {kind: Pod}',
    '  patch: |-',
    '    - {op: add, path: /spec/hostname, value: shop}',
    '',
  ].join('\n'),
}

describe('a kustomization', () => {
  kustomizeTest('is built, and its objects name the files that they are from', async () => {
    const commit = app.commit(FILES)
    const { files, revision } = await area.read({ path: 'prod' })
    expect(revision).toBe(commit)
    expect(files.map(({ file }) => file.replace(/conf-\w+/, 'conf-HASH'))).toEqual([
      'prod/kustomization.yaml#ConfigMap/prod-conf-HASH',
      'prod/kustomization.yaml#Pod/prod-web (base/web.yaml)',
    ])
    expect(files[1]?.text).toMatch(/hostname: shop/)
    expect(files[1]?.text).toMatch(/image: localhost\/nginx:3/)
    area.ran.length = 0
    expect((await area.read({ path: 'prod' })).files).toEqual(files)
    expect(area.ran).toEqual([])
  })

  kustomizeTest('of a plain directory is built too, and is another revision when any of its files is', async () => {
    for (const [file, text] of Object.entries(FILES)) app.write(file, text)
    const wish = { from: { kind: 'directory', dir: area.at('app') }, path: 'prod' } as const
    const first = await area.read(wish)
    expect(first.files[1]?.file).toBe(area.at('app/prod/kustomization.yaml#Pod/prod-web (base/web.yaml)'))
    app.write('base/settings.ini', 'colour = red\n')
    const second = await area.read(wish)
    expect(second.revision).not.toBe(first.revision)
    expect(second.files[0]?.text).toContain('red')
  })

  kustomizeTest('that is wrong is told with what kustomize says', async () => {
    app.commit({ ...FILES, 'prod/kustomization.yaml': 'resources: [nothing.yaml]\n' })
    const error = await area.failure({ path: 'prod' })
    expect(error).toMatchObject({ code: 'SOURCE_RENDER' })
    expect(error.message).toContain('nothing.yaml')
    expect(fs.readdirSync(area.at('state/shop')).filter(name => name.startsWith('.render'))).toEqual([])
  })

  kustomizeTest('without objects is empty', async () => {
    app.commit({ 'kustomization.yaml': 'namePrefix: x-\nresources: [e.yaml]\n', 'e.yaml': '# nothing\n' })
    expect((await area.failure()).code).toMatch(/SOURCE_(EMPTY|RENDER)/)
  })
})

describe('S42 a kustomization', () => {
  kustomizeTest('S42 fetches nothing', async () => {
    let asked = 0
    const server = createServer((_, response) => {
      asked++
      response.end('kind: Pod\n')
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    for (const base of [
      `http://127.0.0.1:${port}/x.yaml`,
      `git::http://127.0.0.1:${port}/x`,
      'github.com/a/b?ref=v1',
    ]) {
      app.commit({ 'kustomization.yaml': `resources:\n- ${base}\n` })
      const error = await area.failure()
      expect(error).toMatchObject({ code: 'SOURCE_RENDER' })
      expect(error.message).toContain(`kustomization.yaml names ${base}`)
    }
    expect(asked).toBe(0)
    server.close()
  })

  kustomizeTest('S42 sees no file of the host, by path, link or base', async () => {
    fs.mkdirSync(area.at('host'))
    fs.writeFileSync(area.at('host/kustomization.yaml'), 'configMapGenerator: [{name: stolen, literals: [a=canary]}]\n')
    for (const path of ['/etc/passwd', '../../../../etc/passwd', area.at('host'), '/proc/self/environ']) {
      app.commit({ 'kustomization.yaml': `configMapGenerator: [{name: x, files: [${path}]}]\n` })
      expect([path, (await area.failure()).code]).toEqual([path, 'SOURCE_RENDER'])
      app.commit({ 'kustomization.yaml': `resources: [${path}]\n` })
      const error = await area.failure()
      expect([path, error.code]).toEqual([path, 'SOURCE_RENDER'])
      expect(JSON.stringify([error.message, error.details])).not.toContain('root:')
    }
  })

  kustomizeTest('S42 runs no program and no chart', async () => {
    fs.mkdirSync(area.at('canary'), { mode: 0o777 })
    const exec = `apiVersion: v1\nkind: X\nmetadata:\n  name: x\n  annotations:\n    config.kubernetes.io/function: "exec: {path: ./run.sh}"\n`
    app.write('run.sh', `#!/bin/sh\ntouch ${area.at('canary/touched')}\n`)
    fs.chmodSync(area.at('app/run.sh'), 0o755)
    for (const text of [
      'generators: [x.yaml]\n',
      'transformers: [x.yaml]\n',
      'helmCharts: [{name: a, repo: "http://127.0.0.1:1"}]\n',
    ]) {
      app.commit({ 'kustomization.yaml': text, 'x.yaml': exec })
      expect([text, (await area.failure()).code]).toEqual([text, 'SOURCE_RENDER'])
    }
    expect(fs.readdirSync(area.at('canary'))).toEqual([])
  })

  kustomizeTest('S42 that is a bomb ends', async () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]']
    for (let index = 0; index < 12; index++) {
      const [name, before] = [String.fromCharCode(98 + index), String.fromCharCode(97 + index)]
      bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]`)
    }
    app.commit({
      'kustomization.yaml': 'resources: [x.yaml]\n',
      'x.yaml': `kind: X\nmetadata: {name: x}\n${bomb.join('\n')}\n`,
    })
    expect(await area.failure()).toMatchObject({ code: 'SOURCE_RENDER' })
  })
})
