/**
 * Preflight across all apps, before the first change: names, host ports, owners. Pure: what there is on the host comes
 * in as claims.
 */
import { type Bundle, type PodSpec, servingContainers } from '../../model.ts'

/** Something that only one pod can have, and who has it. */
export type Claim = {
  /** `pod/web`, `port 8080/tcp`. */
  thing: string
  /** Addresses of a port; two collide when they are the same or one of them stands for all. */
  address?: string
  /** The pod that has it. */
  pod: string
  /** The app that it belongs to; absent: to none. */
  app?: string
  /** Where it is written down, as far as that is known. */
  place?: string
}

/** What a pod takes from all others. */
export function claimsOfPod(pod: PodSpec, app: string | undefined): Claim[] {
  const { file, line } = pod.origin.place
  const about = { pod: pod.name, ...(app !== undefined && { app }), place: `${file}:${line}` }
  const ports = servingContainers(pod).flatMap(({ ports }) =>
    ports.flatMap(({ hostPort, protocol, hostIp }) =>
      hostPort === undefined ? [] : [{ ...about, thing: `port ${hostPort}/${protocol}`, address: hostIp }],
    ),
  )
  return [{ ...about, thing: `pod/${pod.name}` }, ...ports]
}

/** What the bundle wants and somebody else has; one sentence each. What it wants twice the translator has found. */
export function conflicts(bundle: Bundle, app: string, others: readonly Claim[]): string[] {
  const taken = Map.groupBy(
    others.filter(claim => claim.app !== app),
    ({ thing }) => thing,
  )
  const wanted = bundle.pods.flatMap(pod => claimsOfPod(pod, app))
  const complaints = wanted.flatMap(claim => {
    const rival = taken.get(claim.thing)?.find(other => collide(claim, other))
    return rival === undefined ? [] : [sentence(claim, rival)]
  })
  return [...new Set(complaints)]
}

const EVERYWHERE = new Set(['', '0.0.0.0', '::'])

const collide = (a: Claim, b: Claim): boolean =>
  a.address === b.address || EVERYWHERE.has(a.address ?? '') || EVERYWHERE.has(b.address ?? '')

function sentence(claim: Claim, rival: Claim): string {
  const owner = rival.app === undefined ? 'no app: it was played by hand' : `app ${rival.app}`
  const where = rival.place === undefined ? '' : ` (${rival.place})`
  const whose = claim.thing === `pod/${rival.pod}` ? 'belongs to' : `is published by pod ${rival.pod} of`
  return `${claim.place}: ${claim.thing} ${whose} ${owner}${where}`
}
