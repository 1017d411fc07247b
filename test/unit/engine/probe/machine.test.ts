import { describe, expect, test } from '@jest/globals'
import {
  afterProbe,
  beginWatch,
  dueProbes,
  nextDueMs,
  type ProbeKind,
  type ProbeResult,
  type Progress,
  takeResult,
  type Watch,
} from '../../../../src/engine/probe/prober/machine.ts'
import type { ContainerProbes, ProbeSpec } from '../../../../src/model.ts'
import { fc, seed } from '../../../support/property.ts'

const BEGAN = 5_000

const spec = (more: Partial<ProbeSpec> = {}): ProbeSpec => ({
  handler: { kind: 'exec', command: ['true'] },
  initialDelayMs: 0,
  periodMs: 10_000,
  timeoutMs: 1000,
  successThreshold: 1,
  failureThreshold: 3,
  ...more,
})

function watching(probes: ContainerProbes, progress: Partial<Progress> = {}, nowMs = BEGAN): Watch {
  const started = probes.startup === undefined
  const ready = started && probes.readiness === undefined
  const run = { probes, progress: { started, ready, ...progress }, stopping: false, beganMs: BEGAN }
  return beginWatch(run, nowMs, 0.5)
}

/** What a row of results of one probe changes, one entry a result. */
function changes(watch: Watch, kind: ProbeKind, results: readonly ProbeResult[]): object[] {
  let now = watch
  return results.map(result => {
    const taken = takeResult(now, kind, result, BEGAN + 1)
    now = taken.watch
    return taken.change
  })
}

const OK = 'success'
const NO = 'failure'

describe('results', () => {
  test('a container is ready after as many successes in a row as it takes, and unready after as many failures', () => {
    const watch = watching({ readiness: spec({ successThreshold: 2, failureThreshold: 3 }) })
    expect(changes(watch, 'readiness', [OK, NO, OK, OK, OK, NO, NO, OK, NO, NO, NO, NO])).toEqual([
      {},
      {},
      {},
      { ready: true },
      ...[{}, {}, {}, {}, {}, {}],
      { ready: false },
      {},
    ])
  })

  test('a liveness probe makes it healthy at its first success, and ends it after its failures in a row', () => {
    const watch = watching({ liveness: spec({ failureThreshold: 2 }) }, { health: 'starting' })
    expect(changes(watch, 'liveness', [NO, OK, NO, OK, NO, NO, NO, OK])).toEqual([
      {},
      { health: 'healthy' },
      ...[{}, {}, {}],
      { health: 'unhealthy', failedCheck: 'liveness', ready: false },
      {},
      {},
    ])
  })

  test('a startup probe that succeeds lets the others begin, ready or not', () => {
    const all = watching({ startup: spec(), liveness: spec(), readiness: spec() }, { health: 'starting' })
    expect(changes(all, 'startup', [NO, NO, OK, NO])).toEqual([{}, {}, { started: true }, {}])
    const alone = watching({ startup: spec() }, { health: 'starting' })
    expect(changes(alone, 'startup', [OK])).toEqual([{ started: true, ready: true, health: 'healthy' }])
  })

  test('a startup probe that fails ends the container', () => {
    const watch = watching({ startup: spec({ failureThreshold: 1 }), liveness: spec() })
    expect(changes(watch, 'startup', [NO])).toEqual([{ health: 'unhealthy', failedCheck: 'startup' }])
  })

  test('one that comes too late, or could not be had, changes nothing and breaks no row', () => {
    const watch = watching({ readiness: spec({ failureThreshold: 2 }) }, { ready: true })
    expect(changes(watch, 'readiness', [NO, 'unknown', NO])).toEqual([{}, {}, { ready: false }])
    const stopping = { ...watching({ liveness: spec({ failureThreshold: 1 }) }), stopping: true }
    expect(changes(stopping, 'liveness', [NO])).toEqual([{}])
  })
})

describe('turns', () => {
  test('begin at once, or after the initial delay; later ones come a period after each other', () => {
    expect(dueProbes(watching({ readiness: spec() }), BEGAN)).toEqual(['readiness'])
    const late = watching({ readiness: spec({ initialDelayMs: 7_000 }) })
    expect([dueProbes(late, BEGAN + 6_999), nextDueMs(late)]).toEqual([[], BEGAN + 7_000])
    const next = afterProbe(late, 'readiness', BEGAN + 7_400)
    expect(nextDueMs(next)).toBe(BEGAN + 17_000)
    // A probe that took longer than its period has missed its turns.
    expect(nextDueMs(afterProbe(next, 'readiness', BEGAN + 40_000))).toBe(BEGAN + 47_000)
  })

  test('are spread over a period where the container has been running for long', () => {
    const watch = watching({ readiness: spec() }, { ready: true }, BEGAN + 60_000)
    expect(nextDueMs(watch)).toBe(BEGAN + 65_000)
  })

  test('of liveness and readiness come only after startup, and then at once', () => {
    const watch = watching({
      startup: spec(),
      liveness: spec(),
      readiness: spec({ initialDelayMs: 60_000 }),
    })
    expect(dueProbes(watch, BEGAN + 30_000)).toEqual(['startup'])
    const started = takeResult(watch, 'startup', OK, BEGAN + 30_000).watch
    expect(dueProbes(started, BEGAN + 30_000)).toEqual(['liveness'])
    expect(dueProbes(started, BEGAN + 60_000)).toEqual(['liveness', 'readiness'])
  })

  test('end with a failure, and all but those of readiness with the stop of the container', () => {
    const watch = watching({ liveness: spec(), readiness: spec() })
    expect(dueProbes({ ...watch, stopping: true }, BEGAN)).toEqual(['readiness'])
    const failed = watching({ liveness: spec(), readiness: spec() }, { failedCheck: 'liveness' })
    expect([dueProbes(failed, BEGAN + 60_000), nextDueMs(failed)]).toEqual([[], undefined])
  })
})

describe(`for any results (seed ${seed})`, () => {
  const results = fc.array(fc.constantFrom<ProbeResult[]>(OK, NO, 'unknown'), { maxLength: 60 })
  const threshold = fc.integer({ min: 1, max: 5 })

  /** What the last so many results that count say, if they agree. */
  function agreed(seen: readonly ProbeResult[], needed: (result: ProbeResult) => number): ProbeResult | undefined {
    const counting = seen.filter(result => result !== 'unknown')
    const last = counting.at(-1)
    if (last === undefined) return undefined
    const row = counting.length - 1 - counting.findLastIndex(result => result !== last)
    return row >= needed(last) ? last : undefined
  }

  test('readiness is what the last row that was long enough has said', () => {
    fc.assert(
      fc.property(results, threshold, threshold, fc.boolean(), (list, successThreshold, failureThreshold, before) => {
        let watch = watching({ readiness: spec({ successThreshold, failureThreshold }) }, { ready: before })
        let expected = before
        for (const [index, result] of list.entries()) {
          const { watch: next, change } = takeResult(watch, 'readiness', result, BEGAN)
          const said = agreed(list.slice(0, index + 1), one => (one === OK ? successThreshold : failureThreshold))
          const was = expected
          if (said !== undefined) expected = said === OK
          expect(next.progress.ready).toBe(expected)
          // Nothing is written that is there already.
          expect(change).toEqual(was === expected ? {} : { ready: expected })
          watch = next
        }
      }),
    )
  })

  test('liveness ends a container at the first row of failures that is long enough, and never before or again', () => {
    fc.assert(
      fc.property(results, threshold, (list, failureThreshold) => {
        const told = changes(watching({ liveness: spec({ failureThreshold }) }), 'liveness', list)
        const first = list.findIndex((_, index) =>
          agreed(list.slice(0, index + 1), one => (one === NO ? failureThreshold : 99)),
        )
        const ends = told.flatMap((change, index) => ('failedCheck' in change ? [index] : []))
        expect(ends).toEqual(first < 0 ? [] : [first])
      }),
    )
  })

  test('no probe comes before its delay, twice at a time, or sooner than a period after its turn', () => {
    const took = fc.array(fc.integer({ min: 0, max: 30_000 }), { minLength: 1, maxLength: 20 })
    const time = fc.integer({ min: 0, max: 60_000 })
    fc.assert(
      fc.property(took, time, fc.integer({ min: 1, max: 20_000 }), time, (list, initialDelayMs, periodMs, lateMs) => {
        let watch = watching({ readiness: spec({ initialDelayMs, periodMs }) }, {}, BEGAN + lateMs)
        let nowMs = BEGAN + lateMs
        for (const tookMs of list) {
          const dueMs = nextDueMs(watch)!
          expect(dueMs).toBeGreaterThanOrEqual(Math.max(nowMs, BEGAN + initialDelayMs))
          expect(dueProbes(watch, dueMs - 1)).toEqual([])
          nowMs = dueMs + tookMs
          watch = afterProbe(watch, 'readiness', nowMs)
          expect(nextDueMs(watch)! - dueMs).toBeGreaterThanOrEqual(periodMs)
          expect(nextDueMs(watch)! - nowMs).toBeLessThanOrEqual(periodMs)
        }
      }),
    )
  })
})
