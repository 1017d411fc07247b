/** Manifests as units: which unit a file is, what becomes of it, and what is never touched. */
import { describe, expect, test } from '@jest/globals'
import { type FoundUnit, planUnits, type UnitRecord, wantedUnits } from '../../../../src/engine/gitops/unit-plan.ts'

const FOLDER = '/etc/tspod/kube'
const wanted = (...files: [file: string, text: string][]) =>
  wantedUnits(
    'shop',
    files.map(([file, text]) => ({ file, text })),
    FOLDER,
  )
const UNIT = 'tspod-kube@shop-web.service'
const known: UnitRecord = { unit: UNIT, file: 'web.yaml', text: 'one' }
const fine: FoundUnit = { text: 'one', active: 'active', enabled: true }
const plan = (
  files: [string, string][],
  records: UnitRecord[],
  found: FoundUnit | undefined,
  request: Partial<Parameters<typeof planUnits>[3]> = {},
) => {
  const units = new Map(found === undefined ? [] : [[UNIT, found]])
  const { objects } = planUnits(wanted(...files), records, units, { app: 'shop', prune: true, ...request })
  return objects.map(({ name, action, because }) => `${action} ${name}: ${because.join('; ')}`)
}

describe('what becomes of a unit', () => {
  const gone: FoundUnit = { active: 'inactive', enabled: false }
  const cases: Record<string, [Parameters<typeof plan>, string]> = {
    'a new file: made': [[[['web.yaml', 'one']], [], gone], 'create'],
    'the same text, and it runs: nothing': [[[['web.yaml', 'one']], [known], fine], 'unchanged'],
    'another text: reloaded': [[[['web.yaml', 'two']], [known], fine], 'configure'],
    'killed after the file and before the reload: reloaded': [
      [[['web.yaml', 'two']], [known], { ...fine, text: 'two' }],
      'configure',
    ],
    'somebody has edited its manifest: put back': [
      [[['web.yaml', 'one']], [known], { ...fine, text: 'x' }],
      'configure',
    ],
    'somebody has stopped it: started': [[[['web.yaml', 'one']], [known], { ...fine, active: 'inactive' }], 'start'],
    'somebody has disabled it: enabled': [[[['web.yaml', 'one']], [known], { ...fine, enabled: false }], 'start'],
    'stopped, and its drift is ignored: kept': [
      [[['web.yaml', 'one']], [known], { ...fine, text: 'x', active: 'inactive', ignoresDrift: true }],
      'keep',
    ],
    'another text, and its drift is ignored: reloaded': [
      [[['web.yaml', 'two']], [known], { ...fine, ignoresDrift: true }],
      'configure',
    ],
    'its file is gone: removed': [[[], [known], fine], 'prune'],
    'its file is gone, and pruning is off: kept': [[[], [known], fine, { prune: false }], 'keep'],
    'its file is gone, and its annotation protects it: kept': [
      [[], [known], { ...fine, protection: 'disabled' }],
      'keep',
    ],
  }
  for (const [name, [args, action]] of Object.entries(cases))
    test(name, () => expect(plan(...args)).toEqual([expect.stringMatching(new RegExp(`^${action} ${UNIT}: `))]))

  test('a manifest of somebody else is never taken over', () => {
    expect(() => plan([['web.yaml', 'one']], [], { ...fine, text: 'theirs' })).toThrow(/is not of this source/)
  })
})

describe('the unit of a file', () => {
  test('is named after source and file, whatever characters it has', () => {
    const names = wanted(['web.yaml', ''], ['a/b c.yml', ''], ['$(x).json', '']).map(({ unit }) => unit)
    expect(names).toEqual([UNIT, 'tspod-kube@shop-a-b-c.service', 'tspod-kube@shop--x-.service'])
  })
  test('is of that file alone', () => {
    expect(() => wanted(['a/b.yaml', ''], ['a-b.yaml', ''])).toThrow(/would both be the unit/)
  })
})
