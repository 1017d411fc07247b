/** The completion scripts in real shells, beside pods that have names. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Place } from '../../support/place.ts'
import { podText, readyCell, succeeds, takeDownAll } from '../../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
  await succeeds(cell, ['kube', 'play', '-'], { input: `${podText('web-one')}${podText('web-two')}${podText('db')}` })
}, 60_000)
afterAll(async () => {
  await takeDownAll(cell)
  await cell?.remove()
})

const answers = async (shell: 'bash' | 'zsh' | 'fish', script: string): Promise<string[]> => {
  // As a user has it: by its name.
  const path = `${cell.checkout}/bin:/usr/bin:/bin`
  const { exitCode, stdout, stderr } = await cell.exec([shell, '-c', script], { env: { PATH: path } })
  if (exitCode !== 0 || stderr !== '') throw new Error(`${shell}: ${exitCode}: ${stderr}${stdout}`)
  return stdout.split('\n').filter(Boolean).sort()
}

const bash = (...words: string[]): Promise<string[]> =>
  answers(
    'bash',
    `source <(tspod completion bash); cd /usr; COMP_WORDS=(tspod ${words.join(' ')}); COMP_CWORD=${words.length}; _tspod; printf '%s\\n' "\${COMPREPLY[@]}"`,
  )
/** What the script hands to zsh's own functions. */
const zsh = (...words: string[]): Promise<string[]> =>
  answers(
    'zsh',
    `compdef() {}; _describe() { print -l -- "\${(P@)4}"; }; _files() { print files "$@"; }; source <(tspod completion zsh); words=(tspod ${words.join(' ')}); CURRENT=${words.length + 1}; _tspod`,
  )
const fish = (line: string): Promise<string[]> =>
  answers('fish', `tspod completion fish | source; cd /usr; complete -C '${line}'`)

test('names of pods, in every shell', async () => {
  expect(await bash('pod', 'stop', 'we')).toEqual(['web-one', 'web-two'])
  expect(await zsh('pod', 'stop', 'we')).toEqual(['web-one:Running', 'web-two:Running'])
  expect(await fish('tspod pod stop we')).toEqual(['web-one\tRunning', 'web-two\tRunning'])
})

test('words of commands and flags', async () => {
  expect(await bash('kube', 'pl')).toEqual(['play'])
  expect(await bash('pod', 'ps', '--sor')).toEqual(['--sort'])
  expect(await bash('ps', '--log-level=d')).toEqual(['debug'])
  expect((await zsh('kube', 'pl'))[0]).toMatch(/^play:Create and start/)
  expect((await fish('tspod kube pl'))[0]).toMatch(/^play\tCreate and start/)
})

test('paths where paths may stand', async () => {
  expect(await bash('kube', 'play', 'shar')).toEqual(['share'])
  expect(await bash('--root', 'shar')).toEqual(['share'])
  expect(await bash('pod', 'stop', 'shar')).toEqual([])
  expect(await zsh('kube', 'play', 'x')).toEqual(['files'])
  expect(await zsh('--root', 'x')).toEqual(['files -/'])
  expect(await fish('tspod kube play shar')).toEqual(['share/'])
})
