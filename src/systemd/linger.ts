/** Whether a user's units run without that user being logged in. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Where logind keeps who lingers: see loginctl(1). */
const LINGERERS = '/var/lib/systemd/linger'

export type Linger = {
  /** Units of ours that the user has enabled. */
  units: string[]
  lingers: boolean
}

/** What there is of a user, by name, whose units are in `unitFolder`. */
export function lingerOf(user: string, unitFolder: string, lingerers: string = LINGERERS): Linger {
  return { units: enabledIn(unitFolder), lingers: existsSync(join(lingerers, user)) }
}

function enabledIn(unitFolder: string): string[] {
  try {
    const names = readdirSync(join(unitFolder, 'default.target.wants'))
    return names.filter(name => /^tspod-kube@.+\.service$/.test(name)).sort()
  } catch {
    return []
  }
}
