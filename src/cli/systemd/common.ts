/** What the verbs about units share: whose systemd, where manifests are, and which unit is meant. */
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { TspodError } from '../../errors.ts'
import { type KubeUnit, type Scope, type Units, unitOfOperand } from '../../systemd/index.ts'
import type { FlagTable } from '../flags.ts'
import type { World } from '../verb.ts'

export const USER_FLAG = {
  user: { kind: 'switch', initial: false, help: 'units of the calling user instead of the host' },
} as const satisfies FlagTable

export const OPERAND_HELP =
  'FILE is the path of a manifest; NAME stands for /etc/tspod/kube/NAME.yaml (with --user ~/.config/tspod/kube/NAME.yaml), ' +
  "with options in NAME.conf beside it. A unit's whole name will do as well."

/** Whose units a command is about, and where these have their files. */
export type Place = {
  scope: Scope
  /** Manifests that are known by name. */
  folder: string
  /** Units that an administrator, or the user, has written. */
  unitFolder: string
}

/** The place that `--user` chooses. */
export function placeOf(user: boolean, { env, paths }: Pick<World, 'env' | 'paths'>): Place {
  if (!user) return { scope: 'system', folder: join(paths.config, 'kube'), unitFolder: '/etc/systemd/system' }
  // Services have no HOME unless they ask for one.
  const home = env.HOME?.startsWith('/') ? env.HOME : userInfo().homedir
  return {
    scope: { uid: process.getuid?.() ?? 0 },
    folder: join(home, '.config/tspod/kube'),
    unitFolder: join(home, '.config/systemd/user'),
  }
}

/** The unit that an operand means; a relative path begins at the current directory. */
export const unitNamed = (operand: string, { folder }: Place, { cwd }: Pick<World, 'cwd'>): KubeUnit =>
  unitOfOperand(operand, folder, path => resolve(cwd, path))

/** Throws MANIFEST_UNREADABLE when there is no manifest to run. */
export function needManifest({ manifest, shown }: KubeUnit, { folder }: Place): void {
  if (existsSync(manifest)) return
  throw new TspodError('MANIFEST_UNREADABLE', `open ${manifest}: no such file or directory`, {
    remedy: manifest.startsWith(`${folder}/`)
      ? `put the manifest of "${shown}" there, or name a file: tspod systemd start ./FILE.yaml`
      : 'check the path',
  })
}

/** Throws NOT_ROOT for what a user's unit could not do. */
export function needRootForPods({ scope }: Place): void {
  if (scope === 'system' || scope.uid === 0) return
  throw new TspodError('NOT_ROOT', 'a unit of yours could not run pods: tspod needs root, in units of users too', {
    remedy: 'run the unit for the whole host: sudo tspod systemd start FILE',
  })
}

/** Works with one systemd, and lets go of it. */
export async function withUnits<T>(
  { scope }: Place,
  world: Pick<World, 'units'>,
  work: (units: Units) => Promise<T>,
): Promise<T> {
  const units = await world.units(scope)
  try {
    return await work(units)
  } finally {
    units.close()
  }
}
