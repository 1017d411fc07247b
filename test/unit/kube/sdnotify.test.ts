import { describe, expect, test } from '@jest/globals'
import { detailsOf, translated } from './world.ts'

const pod = (annotations: Record<string, string>): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', annotations },
    spec: {
      initContainers: [
        { name: 'prepare', image: 'i' },
        { name: 'proxy', image: 'i', restartPolicy: 'Always' },
      ],
      containers: [
        { name: 'web', image: 'i' },
        { name: 'db', image: 'i', readinessProbe: { exec: { command: ['true'] } } },
      ],
    },
  })

const KEY = 'io.containers.sdnotify'
const policies = (annotations: Record<string, string>, flags: Record<string, string> = {}): (string | undefined)[] => {
  const { bundle } = translated(pod(annotations), { annotations: flags })
  const [{ initContainers, containers }] = bundle.pods as [(typeof bundle.pods)[number]]
  expect(initContainers.map(({ sdnotify }) => sdnotify)).toEqual([undefined, undefined])
  return containers.map(({ sdnotify }) => sdnotify)
}

describe('io.containers.sdnotify', () => {
  test.each<
    [name: string, annotations: Record<string, string>, flags: Record<string, string>, found: (string | undefined)[]]
  >([
    ['is nothing by default', {}, {}, [undefined, undefined]],
    ['holds for all regular containers', { [KEY]: 'conmon' }, {}, ['conmon', 'conmon']],
    ['holds for one', { [`${KEY}/db`]: 'container' }, {}, [undefined, 'container']],
    ['of one is stronger than of all', { [`${KEY}/db`]: 'ignore', [KEY]: 'conmon' }, {}, ['conmon', undefined]],
    [
      'of an init container or a sidecar is ignored',
      { [`${KEY}/prepare`]: 'container', [`${KEY}/proxy`]: 'conmon' },
      {},
      [undefined, undefined],
    ],
    ['is healthy where there are probes', { [`${KEY}/db`]: 'healthy' }, {}, [undefined, 'healthy']],
    ['of a flag is stronger than of the manifest', { [KEY]: 'conmon' }, { [KEY]: 'ignore' }, [undefined, undefined]],
  ])('%s', (_, annotations, flags, found) => expect(policies(annotations, flags)).toEqual(found))

  test.each<[annotations: Record<string, string>, message: RegExp]>([
    [{ [KEY]: 'often' }, /invalid sdnotify value "often": must be container, healthy, ignore or conmon/],
    [{ [KEY]: 'healthy' }, /sdnotify policy "healthy" requires a healthcheck to be set/],
    [{ [`${KEY}/wbe`]: 'conmon' }, /no container is called "wbe"/],
  ])('%j is refused', (annotations, message) => expect(detailsOf(pod(annotations))).toMatch(message))
})
