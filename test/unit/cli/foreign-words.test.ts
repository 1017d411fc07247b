import { expect, test } from '@jest/globals'
import { spellings } from '../../../src/cli/commands.ts'
import { calledHere, HERE } from '../../../src/cli/foreign-words.ts'

test.each([
  ['get pods', 'tspod pod ps'],
  ['get po -A', 'tspod pod ps'],
  ['get pod/web', 'tspod pod ps'],
  ['get pvc', 'tspod volume ls'],
  ['get ingresses', 'tspod pod ps, tspod ps, tspod volume ls, tspod secret ls or tspod apps'],
  ['rollout restart deployment/web', 'tspod pod restart POD'],
  ['delete -f web.yaml', 'tspod kube down FILE, tspod down APP or tspod pod rm -f POD'],
  ['compose up', 'a manifest and tspod kube play FILE'],
  ['constructor', undefined],
  ['get constructor', 'tspod pod ps, tspod ps, tspod volume ls, tspod secret ls or tspod apps'],
])('%s', (line, here) => {
  expect(calledHere(line.split(' ').filter(word => !word.startsWith('-')))).toBe(here)
})

test('no word that is one of ours is told to be called otherwise, and what is told of exists', () => {
  const commands = spellings().map(({ words }) => words.join(' '))
  expect(Object.keys(HERE).filter(words => commands.includes(words))).toEqual([])
  const named = Object.values(HERE).flatMap(text =>
    [...text.matchAll(/tspod ((?:[a-z-]+ ?)+)/g)].map(([, words = '']) => words),
  )
  const unknown = named.filter(words => !commands.some(command => `${words} `.startsWith(`${command} `)))
  expect(unknown).toEqual([])
})
