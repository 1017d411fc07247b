/** `container exists`, `pod exists`, `volume exists` and so on: 0 when it is there, 1 when it is not, and not a word. */
import { isTspodError } from '../errors.ts'
import type { FlagTable } from './flags.ts'
import { secretNamed } from './secret/index.ts'
import { defineVerb } from './verb.ts'

const EXIT_NO = 1

const ONE = { minimum: 1, maximum: 1 }

const CONTAINER_FLAGS = {
  external: {
    kind: 'switch',
    initial: false,
    help: 'without effect: containers of other programs are not looked at',
    hidden: true,
  },
} as const satisfies FlagTable

export const containerExists = defineVerb({
  operands: 'CONTAINER',
  count: ONE,
  description: 'Ends with 0 when the container exists, in whatever state, and with 1 when it does not.',
  examples: [{ does: 'In a script', line: 'tspod container exists web-nginx || echo missing' }],
  flags: CONTAINER_FLAGS,
  run: async ({ operands: [name = ''] }, world) =>
    answer((await world.engine()).find(name, 'container').then(() => true)),
})

export const podExists = defineVerb({
  operands: 'POD',
  count: ONE,
  description: 'Ends with 0 when the pod exists, in whatever state, and with 1 when it does not.',
  examples: [{ does: 'In a script', line: 'tspod pod exists web || echo missing' }],
  flags: {},
  run: async ({ operands: [name = ''] }, world) => answer((await world.engine()).find(name, 'pod').then(() => true)),
})

export const imageExists = defineVerb({
  operands: 'IMAGE',
  count: ONE,
  description: 'Ends with 0 when the image is in local storage, and with 1 when it is not.',
  examples: [{ does: 'In a script', line: 'tspod image exists nginx:1.27 || echo missing' }],
  flags: {},
  run: async ({ operands: [name = ''] }, world) =>
    answer((await world.engine()).image(name).then(image => image !== undefined)),
})

export const volumeExists = defineVerb({
  operands: 'VOLUME',
  count: ONE,
  description: 'Ends with 0 when the volume exists, and with 1 when it does not.',
  examples: [{ does: 'In a script', line: 'tspod volume exists data || echo missing' }],
  flags: {},
  run: async ({ operands: [name = ''] }, world) => answer((await world.engine()).volume(name).then(() => true)),
})

export const networkExists = defineVerb({
  operands: 'NETWORK',
  count: ONE,
  description: 'Ends with 0 when the network exists, and with 1 when it does not.',
  examples: [{ does: 'In a script', line: 'tspod network exists backend || echo missing' }],
  flags: {},
  run: async ({ operands: [name = ''] }, world) => answer((await world.engine()).network(name).then(() => true)),
})

export const secretExists = defineVerb({
  operands: 'SECRET',
  count: ONE,
  description: 'Ends with 0 when the Secret is on record, and with 1 when it is not.',
  examples: [{ does: 'In a script', line: 'tspod secret exists db-password || echo missing' }],
  flags: {},
  run: async ({ operands: [asked = ''] }, world) => {
    const secrets = (await world.engine()).secrets()
    return answer(secrets.then(all => secretNamed(all, asked) !== undefined))
  },
})

async function answer(looked: Promise<boolean>): Promise<{ exitCode: number }> {
  try {
    return { exitCode: (await looked) ? 0 : EXIT_NO }
  } catch (error) {
    if (isTspodError(error, 'NO_SUCH_OBJECT')) return { exitCode: EXIT_NO }
    throw error
  }
}
