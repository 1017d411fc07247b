/** Random pods and the ways their containers behave. */
import { PLAIN_OPTIONS } from '../../src/engine/play/plain-options.ts'
import type { PlayOptions } from '../../src/engine/types/api.ts'
import type { Bundle, ContainerName, ContainerSpec, PodName, PodSpec } from '../../src/model.ts'
import { containerSpec, podSpec } from '../support/spec-input.ts'
import { randomJob } from './jobs.ts'
import type { Profile } from './kernel.ts'
import type { Random } from './random.ts'

export type Workload = { bundle: Bundle; options: PlayOptions; profiles: Map<string, Profile> }

/** One or two pods of any shape, with or without a service. */
export function randomWorkload(random: Random): Workload {
  const profiles = new Map<string, Profile>()
  const pods = Array.from({ length: random.chance(0.25) ? 2 : 1 }, (_, index) => randomPod(random, index, profiles))
  const made = random.chance(0.2) ? randomJob(random, profiles) : undefined
  // Half of these are alone, so that quiet histories have nothing else in them.
  if (made !== undefined) pods.splice(random.chance(0.5) ? 0 : pods.length, pods.length, ...made.pods)
  const bundle: Bundle = {
    ...{ pods, manifests: {}, secrets: [], claims: [], configMaps: [] },
    workloads: made === undefined ? [] : [{ kind: 'Job', name: made.job.name }],
    ...(made !== undefined && { jobs: [made.job] }),
  }
  const service = random.chance(0.3)
    ? { name: 'play-service', propagation: random.pick(['none', 'any', 'all'] as const) }
    : undefined
  const options: PlayOptions = {
    ...PLAIN_OPTIONS,
    start: !random.chance(0.08),
    networks: random.chance(0.15) ? ['host'] : [],
    pull: {} as PlayOptions['pull'],
    ...(service !== undefined && { service }),
  }
  return { bundle, options, profiles }
}

function randomPod(random: Random, index: number, profiles: Map<string, Profile>): PodSpec {
  const name = `pod${index}` as PodName
  const restartPolicy = random.pick(['Always', 'OnFailure', 'Never'] as const)
  const make = (short: string, profile: Profile, more: Partial<ContainerSpec> = {}): ContainerSpec => {
    profiles.set(`${name}-${short}`, profile)
    const mounts = random.chance(0.15)
      ? [{ volume: 'v', path: '/v', subPath: 's', readOnly: false, propagation: 'None' as const }]
      : []
    return containerSpec({ name: short as ContainerName, mounts, ...randomRestart(random), ...more })
  }
  const inits = random.below(4)
  const sidecars = random.below(3)
  const kinds = [...Array<'init'>(inits).fill('init'), ...Array<'sidecar'>(sidecars).fill('sidecar')]
  const initContainers = shuffled(random, kinds).map((kind, ordinal) =>
    kind === 'init'
      ? make(`i${ordinal}`, initProfile(random))
      : make(`s${ordinal}`, longProfile(random), { restartPolicy: 'Always' }),
  )
  const count = random.between(1, 4)
  const names = Array.from({ length: count }, (_, ordinal) => `c${ordinal}` as ContainerName)
  // The order of the dependencies has nothing to do with that of the manifest.
  const ranks = shuffled(random, names)
  const containers = names.map(short => {
    const earlier = ranks.slice(0, ranks.indexOf(short))
    const dependsOn = random.chance(0.4) ? earlier.filter(() => random.chance(0.5)) : []
    return make(short, workProfile(random), dependsOn.length > 0 ? { dependsOn } : {})
  })
  return podSpec({
    name,
    restartPolicy,
    graceMs: random.pick([0, 2_000, 10_000, 30_000]),
    shareProcessNamespace: random.chance(0.3),
    ...(random.chance(0.15) && { deadlineMs: random.pick([3_000, 45_000, 900_000]) }),
    ...(random.chance(0.3) && { initType: random.pick(['once', 'always'] as const) }),
    initContainers,
    containers,
  })
}

/** Some have a policy of their own, and some of those rules. */
function randomRestart(random: Random): Pick<ContainerSpec, 'restartPolicy' | 'restartRules'> {
  if (!random.chance(0.2)) return {}
  const restartPolicy = random.pick(['OnFailure', 'Never'] as const)
  if (random.chance(0.5)) return { restartPolicy }
  const rule = { operator: random.pick(['In', 'NotIn'] as const), values: random.pick([[0], [1], [137, 143]]) }
  return { restartPolicy, restartRules: [rule] }
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const rest = [...list]
  return list.map(() => rest.splice(random.below(rest.length), 1)[0] as T)
}

const initProfile = (random: Random): Profile => {
  const failures = random.pick([0, 0, 0, 0.3, 0.6, 0.95])
  const most = random.pick([100, 3_000, 20_000])
  return {
    lifeMs: () => random.below(most),
    code: () => (random.chance(failures) ? random.between(1, 255) : 0),
    ignoresTerm: random.chance(0.2),
  }
}

const longProfile = (random: Random): Profile => {
  const most = random.pick([undefined, undefined, 5_000, 900_000])
  return {
    lifeMs: () => (most === undefined ? undefined : random.below(most)),
    code: () => random.pick([0, 1, 139]),
    ignoresTerm: random.chance(0.2),
  }
}

/** Ends often, then runs long enough for its back-off to begin anew. */
const recoveringProfile = (random: Random): Profile => {
  let runs = 0
  return {
    lifeMs: () => (++runs % 5 === 0 ? random.between(600_000, 660_000) : random.below(1_000)),
    code: () => random.between(1, 3),
    ignoresTerm: false,
  }
}

const workProfile = (random: Random): Profile => {
  if (random.chance(0.15)) return recoveringProfile(random)
  const most = random.pick([undefined, undefined, 50, 2_000, 60_000, 1_500_000])
  const codes = random.pick([[0], [1], [0, 1, 137]])
  return {
    lifeMs: () => (most === undefined ? undefined : random.below(most)),
    code: () => random.pick(codes),
    ignoresTerm: random.chance(0.2),
  }
}
