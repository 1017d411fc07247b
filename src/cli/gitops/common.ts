/** What the verbs about GitOps sources share. */
import { userInfo } from 'node:os'
import type { Gitops, Told } from '../../engine/index.ts'
import type { Problem } from '../flags.ts'
import { printable } from '../output.ts'
import { progressLine } from '../progress.ts'
import type { World } from '../verb.ts'

export const NAME_HELP = 'NAME is at most 40 lower-case letters, digits and dashes.'

export const FORMAT_FLAG = {
  format: { kind: 'choice', choices: ['text', 'json'], help: 'lines for people or one JSON document for scripts' },
} as const

const NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/

/** A name is part of names of units, files and locks. */
export const nameProblems = (name: string): Problem[] =>
  NAME.test(name) ? [] : [{ message: `"${name}" is no name of a GitOps source`, remedy: NAME_HELP }]

/** The door to sources. */
export const gitopsOf = async (world: Pick<World, 'engine'>): Promise<Gitops> => (await world.engine()).gitops()

/** Who is at work, for records: the person behind sudo, too. */
export function authorOf({ env }: Pick<World, 'env'>): string {
  const name = env.SUDO_USER || env.USER || userInfo().username
  return printable(name)
}

/** Tells people and the service manager how far it is. */
export async function teller(world: World, quiet: boolean): Promise<{ told: Told; finish(): Promise<void> }> {
  const notifier = await world.notifier()
  const line = progressLine(world.err, quiet)
  return {
    told: text => {
      line.show({ object: '', text })
      notifier?.status(text)
    },
    finish: async () => {
      line.finish()
      await notifier?.settled()
    },
  }
}
