import { expect, test } from '@jest/globals'
import { wantedAt } from '../../../src/cli/completion/wanted.ts'

const at = async (line: string) => {
  const { words, things, paths } = await wantedAt(line.split(' '))
  return { words: words.map(({ word }) => word), things, paths }
}

test.each<[string, string[], string | undefined]>([
  ['pod stop ', ['pods'], undefined],
  ['pod stop web ', ['pods'], undefined],
  ['pod top web ', [], undefined],
  ['logs ', ['containers', 'pods'], undefined],
  ['exec -it ', ['containers', 'pods'], undefined],
  ['exec web ', [], undefined],
  ['exec web -', [], undefined],
  ['--root /x pod stop ', ['pods'], undefined],
  ['pod --root /x stop ', ['pods'], undefined],
  ['stop -t 5 ', ['containers'], undefined],
  ['stop -t ', [], undefined],
  ['stop --time=5 ', ['containers'], undefined],
  ['inspect ', ['pods', 'containers'], undefined],
  ['kube generate ', ['pods', 'volumes'], undefined],
  ['kube play ', [], 'files'],
  ['kube play a.yaml ', [], 'files'],
  ['kube play --network ', [], undefined],
  ['kube play --configmap ', [], 'files'],
  ['apply -f ', [], 'files'],
  ['apply ', [], undefined],
  ['diff ', ['containers'], undefined],
  ['down ', ['apps'], undefined],
  ['down shop ', ['apps'], undefined],
  ['gitops status ', ['sources'], undefined],
  ['gitops suspend shop ', [], undefined],
  ['gitops add ', [], undefined],
  ['gitops add shop --dir ', [], 'directories'],
  ['container artifact rm web ', [], undefined],
  ['volume rm ', ['volumes'], undefined],
  ['volume import data ', [], 'files'],
  ['secret inspect ', ['secrets'], undefined],
  ['rmi ', ['images'], undefined],
  ['cp ', [], 'files'],
  ['systemd start ', [], 'files'],
  ['volume create ', [], undefined],
  ['system fsck ', [], undefined],
  ['--root ', [], 'directories'],
])('after %j come names of %j, and paths: %s', async (line, things, paths) => {
  const wanted = await at(line)
  expect({ things: [...wanted.things].sort(), paths: wanted.paths }).toEqual({ things: [...things].sort(), paths })
  expect(wanted.words).toEqual([])
})

test('words of commands, once each, and none that people do not type', async () => {
  const { words } = await at('')
  expect(words).toEqual([...new Set(words)])
  expect(words).toEqual(expect.arrayContaining(['kube', 'play', 'pod', 'logs', 'gitops', 'rmi']))
  expect(words).not.toContain('__complete')
  expect((await at('kube ')).words).toEqual(['play', 'down', 'validate', 'render', 'generate'])
  expect((await at('container artifact ')).words).toEqual(['add', 'get', 'ls', 'list', 'rm'])
  expect((await at('nonsense ')).words).toEqual([])
})

test('flags that --help shows, their choices, and none after --', async () => {
  expect((await at('pod ps -')).words).toEqual(expect.arrayContaining(['--filter', '--format', '--help', '--root']))
  expect((await at('rm -')).words).not.toContain('--volumes')
  expect((await at('ps --log-level ')).words).toEqual(['debug', 'info', 'warn', 'error'])
  expect((await at('ps --log-level=')).words).toContain('--log-level=debug')
  expect((await at('pod ps --sort ')).words).toContain('name')
  expect(await at('exec web -- -')).toMatchObject({ words: [], things: [] })
  expect((await at('-')).words).toContain('--root')
})
