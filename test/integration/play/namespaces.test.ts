import { afterAll, afterEach, beforeAll, describe, test } from '@jest/globals'
import type { CellOptions } from '../../support/cell.ts'
import { withLeakCheck } from '../../support/leaks.ts'
import { checkNamespaces, type PodNamespaces } from '../../support/namespaces.ts'
import type { Place } from '../../support/place.ts'
import { readyCell, takeDownAll, warmUp } from '../../support/tspod.ts'

const CASES: Record<string, PodNamespaces[]> = {
  'by default': [],
  'with the network of the host, which brings its host name along': ['hostNetwork'],
  'with the processes of the host': ['hostPID'],
  'with the IPC of the host': ['hostIPC'],
  'with everything of the host that can be asked for': ['hostNetwork', 'hostPID', 'hostIPC'],
  'with one process namespace for the pod': ['shareProcessNamespace'],
}
const VIEWS: { view: CellOptions['view']; runtime: string }[] = [
  { view: 'host', runtime: 'runc' },
  { view: 'v1', runtime: 'crun' },
]

for (const { view = 'host', runtime } of VIEWS) {
  describe(`namespaces of init containers, containers and exec with ${runtime}`, () => {
    let cell: Place
    beforeAll(async () => {
      cell = await readyCell({ view })
      await warmUp(cell, runtime)
    }, 60_000)
    afterEach(() => takeDownAll(cell))
    afterAll(() => cell?.remove())

    for (const [name, settings] of Object.entries(CASES)) {
      test(name, () => withLeakCheck(cell, () => checkNamespaces(cell, settings, runtime)))
    }
  })
}
