/** What a user may do to pods and containers at any time, by the engine's own operations. */

import type { EngineContext } from '../../src/engine/context.ts'
import { tendNamed, tendWith } from '../../src/engine/jobs/index.ts'
import { operateContainers } from '../../src/engine/operate/containers.ts'
import { operatePods } from '../../src/engine/operate/pods.ts'
import { down } from '../../src/engine/play/down.ts'
import { play } from '../../src/engine/play/play.ts'
import type { ContainerAction, PlayOptions, PodAction } from '../../src/engine/types/api.ts'
import type { Bundle, Id } from '../../src/model.ts'
import type { History } from './history.ts'

const SIGNALS = ['SIGKILL', 'SIGTERM', 'SIGHUP'] as const

/** One random command, as a process of its own. */
export function operate(history: History): void {
  const { random, database } = history
  const pods = database.all("SELECT id, name FROM pod WHERE kind = 'pod' ORDER BY name")
  const containers = database.all("SELECT id, name FROM container WHERE kind NOT IN ('infra', 'service') ORDER BY name")
  const { bundle, options } = history.workload
  if (pods.length === 0 || random.chance(0.08)) {
    const again = { ...options, replace: random.chance(0.7) }
    void history.spawn('play again', (context, signal) => playWhole(context, bundle, again, signal))
  } else if (random.chance(0.05)) {
    const request = {
      pods: bundle.pods.map(({ name }) => name),
      workloads: bundle.workloads,
      secrets: [],
      claims: [],
      podClaims: [],
      claimsOf: [],
    }
    void history.spawn('down early', (context, signal) => down(context, request, { force: false }, signal))
  } else if (containers.length === 0 || random.chance(0.4)) {
    const { id, name } = random.pick(pods)
    const action = podAction(history)
    void history.spawn(`pod-${action.do} ${name}`, (context, signal) =>
      tendWith(context, [id as Id], () => operatePods(context, [id as Id], action, signal)),
    )
  } else {
    const targets = containers.filter(() => random.chance(1.5 / containers.length))
    const ids = (targets.length === 0 ? [random.pick(containers)] : targets).map(({ id }) => id as Id)
    const action = containerAction(history)
    const names = ids.map(id => containers.find(one => one.id === id)?.name).join(' ')
    void history.spawn(`${action.do} ${names}`, (context, signal) =>
      tendWith(context, ids, () => operateContainers(context, ids, action, signal)),
    )
  }
}

/** As engine.ts has it: its Jobs are looked after. */
export async function playWhole(
  context: EngineContext,
  bundle: Bundle,
  options: PlayOptions,
  signal: AbortSignal,
): Promise<void> {
  await play(context, bundle, options, () => undefined, signal)
  await tendNamed(context, bundle.jobs?.map(({ name }) => name) ?? [])
}

function podAction({ random }: History): PodAction {
  const kind = random.pick(['start', 'start', 'stop', 'restart', 'kill', 'pause', 'unpause', 'remove'] as const)
  if (kind === 'kill') return { do: kind, signal: random.pick(SIGNALS) }
  if (kind === 'remove') return { do: kind, force: random.chance(0.5) }
  return { do: kind }
}

function containerAction({ random }: History): ContainerAction {
  const kind = random.pick([
    'start',
    'start',
    'stop',
    'stop',
    'restart',
    'kill',
    'init',
    'pause',
    'unpause',
    'remove',
    'remove by force',
  ] as const)
  return kind === 'kill' ? { do: kind, signal: random.pick(SIGNALS) } : { do: kind }
}
