/** What came from a Secret is shown to nobody. */
import { describe, expect, test } from '@jest/globals'
import { redacted, visibleCommand, visibleEnv, withoutSecrets } from '../../../src/engine/redact.ts'
import type { ContainerSpec, PodSpec } from '../../../src/model.ts'

test('inspect shows where a value comes from a Secret, never the value', () => {
  const container = {
    name: 'c',
    env: [
      { name: 'OPEN', secret: false, text: 'seen', expand: true },
      { name: 'TOKEN', secret: true, text: 'hunter2', expand: false },
    ],
  }
  const spec = {
    initContainers: [container],
    containers: [container],
    volumes: [
      { name: 's', kind: 'files', source: 'secret', files: [{ path: 'key', mode: 0o400, base64: 'aHVudGVyMg==' }] },
      { name: 'm', kind: 'files', source: 'configMap', files: [{ path: 'conf', mode: 0o644, base64: 'b3Blbg==' }] },
    ],
  } as unknown as PodSpec
  const text = JSON.stringify(redacted(spec))
  expect(text).not.toMatch(/hunter2|aHVudGVyMg/)
  expect(text).toContain('TOKEN')
  expect(text).toContain('seen')
  expect(text).toContain('b3Blbg==')
})

describe('of the environment of a container', () => {
  const entries = [
    { name: 'OPEN', secret: false, text: 'seen', expand: true },
    { name: 'TOKEN', secret: true, text: 'hunter2', expand: false },
    { name: 'URL', secret: false, text: 'http://me:$(TOKEN)@host', expand: true },
    { name: 'COPY', secret: false, text: '$(URL)', expand: true },
    { name: 'LITERAL', secret: false, text: '$(TOKEN)', expand: false },
    { name: 'AGAIN', secret: true, text: 'hunter2', expand: false },
    { name: 'AGAIN', secret: false, text: 'plain', expand: false },
  ]
  const env = ['PATH=/bin', 'OPEN=seen', 'TOKEN=hunter2', 'URL=http://me:hunter2@host', 'COPY=http://me:hunter2@host']
  test('what comes from a Secret is hidden, and what is made of it', () => {
    expect(visibleEnv([...env, 'LITERAL=$(TOKEN)', 'AGAIN=plain'], entries)).toEqual([
      'PATH=/bin',
      'OPEN=seen',
      'TOKEN=(secret)',
      'URL=(secret)',
      'COPY=(secret)',
      'LITERAL=$(TOKEN)',
      'AGAIN=plain',
    ])
  })
  test.each<[what: string, spec: object, command: string[], shown: string[]]>([
    ['of the manifest', { command: ['sh', '-c', 'x $(URL)'] }, ['sh', '-c', 'x hunter2'], ['sh', '-c', 'x $(URL)']],
    ['of its arguments', { args: ['-p', '$(TOKEN)'] }, ['/entry', '-p', 'hunter2'], ['/entry', '-p', '$(TOKEN)']],
    ['of both', { command: ['a'], args: ['$(TOKEN)'] }, ['a', 'hunter2'], ['a', '$(TOKEN)']],
    ['of the image', {}, ['/entry', 'cmd'], ['/entry', 'cmd']],
    ['that holds none', { command: ['$(OPEN)', '$(PATH)'] }, ['seen', '/bin'], ['seen', '/bin']],
    ['that has not been made yet', { command: ['$(TOKEN)'] }, [], []],
  ])('a command %s', (_, spec, command, shown) => {
    expect(visibleCommand(command, { env: entries, ...spec } as unknown as ContainerSpec)).toEqual(shown)
  })
})

test('S20 what a runtime says of a program has no value of a Secret in it, quoted or not', () => {
  const entries = [
    { name: 'TOKEN', secret: true, text: 'hunter2', expand: false },
    { name: 'LONGER', secret: true, text: 'hunter2-and\nmore', expand: false },
    { name: 'SHORT', secret: true, text: 'a', expand: false },
    { name: 'OPEN', secret: false, text: 'seen', expand: false },
  ]
  const said = 'exec: "hunter2": no such file; "/x/hunter2-and\\nmore" is seen: a pity'
  expect(withoutSecrets(said, entries)).toBe('exec: "(secret)": no such file; "/x/(secret)" is seen: a pity')
})
