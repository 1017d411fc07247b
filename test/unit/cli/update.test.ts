import { describe, expect, test } from '@jest/globals'
import { interpret } from '../../../src/cli/interpret.ts'
import type { TspodError } from '../../../src/errors.ts'
import type { Limits } from '../../../src/oci/index.ts'
import { containerView, podView, recordedWorld } from '../../support/world.ts'

/** What the engine is asked for by `tspod update ARGS web-nginx`. */
async function update(...args: string[]): Promise<Limits | undefined> {
  let asked: Limits | undefined
  const recorded = recordedWorld({
    find: async () => ({ kind: 'container', pod: podView(), container: containerView() }),
    updateLimits: async (_, limits) => {
      asked = limits
    },
  })
  const invocation = await interpret(['update', ...args, 'web-nginx'], 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  const outcome = await invocation.verb.run(invocation.input, recorded.world)
  expect(outcome.stdout).toBe(`${containerView().id}\n`)
  return asked
}

describe('flags become limits', () => {
  const cases: [args: string[], limits: Limits][] = [
    [['-m', '512m', '--cpus', '1.5'], { memoryBytes: 512 * 1024 ** 2, cpuQuotaUs: 150_000, cpuPeriodUs: 100_000 }],
    [['--memory', '0', '--memory-swap', '-1'], { memoryBytes: -1, memorySwapBytes: -1 }],
    [['--memory', '1.5GiB'], { memoryBytes: 1.5 * 1024 ** 3 }],
    [['--memory-reservation', '1000'], { memoryReservationBytes: 1000 }],
    [['--cpus', '0'], { cpuQuotaUs: -1, cpuPeriodUs: 100_000 }],
    [['--cpu-quota', '0', '--cpu-period', '20000'], { cpuQuotaUs: -1, cpuPeriodUs: 20_000 }],
    [['-c', '512', '--pids-limit', '0'], { cpuShares: 512, pids: -1 }],
    [['--cpuset-cpus', '0-2,5', '--cpuset-mems', '0'], { cpusetCpus: '0-2,5', cpusetMems: '0' }],
  ]
  for (const [args, limits] of cases) test(args.join(' '), async () => expect(await update(...args)).toEqual(limits))
})

describe('mistakes are found before anything is done', () => {
  const cases: [args: string[], says: RegExp][] = [
    [[], /nothing to change/],
    [['--memory', 'lots'], /invalid value "lots" for --memory/],
    [['--memory', '-5'], /invalid value "-5" for --memory/],
    [['--cpus', '2000'], /invalid number "2000" for --cpus/],
    [['--cpus', '1', '--cpu-quota', '5000'], /--cpus cannot be used with/],
    [['--cpuset-cpus', '0;1'], /invalid list "0;1"/],
  ]
  for (const [args, says] of cases) {
    test(args.join(' ') || 'no flag at all', async () => {
      const said = await update(...args).catch((error: TspodError) => `${error.message} ${error.details}`)
      expect(said).toMatch(says)
    })
  }
})
