/** Kubernetes' conditions of a pod, derived from its view. Pure. Source: the kubelet's status of pods. */
import type { ContainerState, ContainerView, PodCondition, PodView } from '../types/index.ts'

type Viewed = Pick<PodView, 'phase' | 'containers' | 'ips'>

const UP: readonly ContainerState[] = ['running', 'paused', 'stopping']

/** All of them, in the order of a pod's life. */
export function conditionsOf({ phase, containers, ips }: Viewed): PodCondition[] {
  const hasSandbox = ips.length > 0 || containers.some(({ state }) => UP.includes(state))
  const isOver = phase === 'Succeeded' || phase === 'Failed'
  const pending = containers.filter(one => !isInitialised(one))
  const serving = containers.filter(({ kind }) => kind === 'regular' || kind === 'sidecar')
  const unready = serving.filter(({ ready, state }) => !ready || state !== 'running')
  const over = { reason: phase === 'Failed' ? 'PodFailed' : 'PodCompleted', message: '' }
  const ready = isOver ? { status: false, ...over } : verdict('ContainersNotReady', 'unready status', unready)
  return [
    { type: 'PodScheduled', status: true, reason: '', message: '' },
    { type: 'PodReadyToStartContainers', status: hasSandbox, reason: '', message: '' },
    {
      type: 'Initialized',
      ...(phase === 'Succeeded'
        ? { status: true, reason: 'PodCompleted', message: '' }
        : verdict('ContainersNotInitialized', 'incomplete status', pending)),
    },
    { type: 'ContainersReady', ...ready },
    { type: 'Ready', ...ready },
  ]
}

/** An init container that has succeeded; a sidecar that has started. */
const isInitialised = ({ kind, ready, started }: ContainerView): boolean =>
  kind === 'init' ? ready : kind !== 'sidecar' || started

function verdict(reason: string, status: string, lacking: readonly ContainerView[]): Omit<PodCondition, 'type'> {
  if (lacking.length === 0) return { status: true, reason: '', message: '' }
  const names = lacking.map(({ shortName }) => shortName).join(' ')
  return { status: false, reason, message: `containers with ${status}: [${names}]` }
}
