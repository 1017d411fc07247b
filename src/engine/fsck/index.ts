/** `tspod system fsck`: records against kernel, runtimes, storage and network, in both directions. */
import type { EngineContext } from '../context.ts'
import type { Finding, Repair } from './facts.ts'
import { gather } from './gather.ts'
import { judge } from './judge.ts'
import { repairFinding } from './repair.ts'

/** What somebody is just making or removing looks wrong once, but not twice. */
const SECOND_LOOK_MS = 500
/** A repair may uncover the next thing, and no more than a few deep. */
const MAX_ROUNDS = 4

export type CheckedFinding = Omit<Finding, 'repair'> & {
  /** Without --repair: what it would do. */
  state: 'found' | 'repaired' | 'left'
  /** Why it is still there. */
  error?: string
}

export type CheckReport = {
  findings: CheckedFinding[]
  /** Pods that somebody is working on: they were not looked at. */
  busy: string[]
}

/** `adoption` takes lost pods and volumes into the database again and leaves everything else as it is. */
export type RepairWish = 'nothing' | 'adoption' | 'everything'

/** Looks at everything, and heals what is wished and can be. */
export async function check(context: EngineContext, wish: RepairWish, signal: AbortSignal): Promise<CheckReport> {
  const isWished = ({ repair }: Finding): boolean =>
    wish === 'everything' || (wish === 'adoption' && (repair?.do === 'adopt' || repair?.do === 'adopt volume'))
  const all = new Map<string, CheckedFinding>()
  for (let round = 1; ; round++) {
    const { findings, busy } = await lookTwice(context)
    // What was repaired and is found again was not.
    const open = new Set(findings.map(keyOf))
    for (const [key, { state, error, ...finding }] of all) {
      if (state === 'repaired' && open.has(key)) all.set(key, { ...finding, state: 'left', error: 'it is there again' })
    }
    const fresh = findings.filter(finding => !all.has(keyOf(finding)))
    for (const finding of fresh)
      all.set(keyOf(finding), { ...shown(finding), state: isWished(finding) ? 'left' : 'found' })
    if (wish === 'nothing' || fresh.length === 0 || round === MAX_ROUNDS || signal.aborted) {
      return { findings: [...all.values()], busy }
    }
    for (const finding of fresh.filter(isWished)) {
      const outcome = await healed(context, finding.repair, signal)
      all.set(keyOf(finding), { ...shown(finding), ...outcome })
    }
  }
}

const keyOf = ({ invariant, object, problem }: Pick<Finding, 'invariant' | 'object' | 'problem'>): string =>
  `${invariant} ${object} ${problem}`

const shown = ({ invariant, object, problem, remedy }: Finding): Omit<Finding, 'repair'> => ({
  invariant,
  object,
  problem,
  remedy,
})

async function healed(
  context: EngineContext,
  repair: Repair | undefined,
  signal: AbortSignal,
): Promise<Pick<CheckedFinding, 'state' | 'error'>> {
  if (repair === undefined) return { state: 'left' }
  try {
    await repairFinding(context, repair, signal)
    return { state: 'repaired' }
  } catch (error) {
    return { state: 'left', error: (error as Error).message }
  }
}

async function lookTwice(context: EngineContext): Promise<{ findings: Finding[]; busy: string[] }> {
  const first = await gather(context)
  const findings = judge(first)
  const busyIn = ({ pods }: typeof first): string[] => pods.filter(({ busy }) => busy).map(({ name }) => name)
  if (findings.length === 0) return { findings, busy: busyIn(first) }
  await context.clock.sleep(SECOND_LOOK_MS)
  const second = await gather(context)
  const before = new Set(findings.map(keyOf))
  return { findings: judge(second).filter(finding => before.has(keyOf(finding))), busy: busyIn(second) }
}
