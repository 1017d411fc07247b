import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { interpret } from '../../../src/cli/interpret.ts'
import type { Outcome } from '../../../src/cli/verb.ts'
import { recordedWorld } from '../../support/world.ts'

const POD = (name: string, more = '') =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name} }\nspec:\n  ${more}\n  containers: [{ name: c, image: x }]\n`

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tspod-validate-'))
  const files: Record<string, string> = {
    'good.yaml': POD('good'),
    'noted.yml': POD('noted', 'nodeName: n1'),
    'inner/bad.yaml': POD('bad', 'restartPolicy: always'),
    'inner/words.txt': 'no manifest',
    'config.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: words }\ndata: { a: b }\n',
    'user.yaml': POD('user').replace(
      'image: x',
      'image: x, env: [{ name: A, valueFrom: { configMapKeyRef: { name: words, key: a } } }]',
    ),
  }
  mkdirSync(join(directory, 'inner'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  symlinkSync('/etc/passwd', join(directory, 'linked.yaml'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** What `kube validate` answers; opening the engine would be an error. */
async function run(line: string): Promise<Outcome> {
  const invocation = await interpret(['kube', 'validate', ...line.split(' ')], 100)
  if (invocation.kind !== 'verb') throw new Error(invocation.text)
  const { world } = recordedWorld(
    {},
    { cwd: directory, engine: () => Promise.reject(new Error('the engine was opened')) },
  )
  return invocation.verb.run(invocation.input, world)
}

describe('kube validate', () => {
  test('says of each manifest of a directory what is wrong, without following links', async () => {
    const { stdout, stderr, exitCode } = await run('-q inner good.yaml')
    expect(stdout).toBe(
      'MANIFEST         VERDICT            NOTES\ngood.yaml        ok\ninner/bad.yaml   refused: 1 error\n2 manifests: 1 ok, 1 refused\n',
    )
    expect(stderr).toMatch(/^inner\/bad.yaml:5:18 error UNSUPPORTED_VALUE spec.restartPolicy\n/)
    expect(exitCode).toBe(125)
    expect((await run('.')).stdout).not.toContain('linked')
  })

  test('takes files that are named for one manifest, and those of a directory each for itself', async () => {
    expect(await run('-q config.yaml user.yaml')).toMatchObject({ stderr: '', exitCode: 0 })
    expect((await run('-q .')).stderr).toContain('no ConfigMap is called "words"')
  })

  test('a file of a directory that is no text is refused, and the others have their verdicts', async () => {
    mkdirSync(join(directory, 'mixed'))
    writeFileSync(join(directory, 'mixed/a.yaml'), Buffer.from([0xff, 0xfe, 0x61, 0x00]))
    writeFileSync(join(directory, 'mixed/b.yaml'), POD('b'))
    const { stdout, stderr, exitCode } = await run('mixed')
    expect(stdout).toMatch(/mixed\/a\.yaml +refused: 1 error\nmixed\/b\.yaml +ok\n/)
    expect(stderr).toContain('mixed/a.yaml is not UTF-8 text')
    expect(exitCode).toBe(125)
    rmSync(join(directory, 'mixed'), { recursive: true })
  })

  test('tells what has no effect', async () => {
    const { stderr, exitCode } = await run('noted.yml')
    expect(stderr).toContain('note: noted.yml:5:3 spec.nodeName has no effect: ')
    expect(exitCode).toBe(0)
  })

  test('gives programs everything as JSON', async () => {
    const { stdout, exitCode } = await run('-o json inner')
    expect(JSON.parse(stdout ?? '')).toEqual([
      {
        file: 'inner/bad.yaml',
        valid: false,
        notes: [],
        errors: [
          {
            file: 'inner/bad.yaml',
            line: 5,
            column: 18,
            code: 'UNSUPPORTED_VALUE',
            path: 'spec.restartPolicy',
            message: '"always" is not possible here',
            remedy: 'use Always, OnFailure or Never',
          },
        ],
      },
    ])
    expect(exitCode).toBe(125)
  })
})
