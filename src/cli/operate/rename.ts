/** `tspod rename`. */
import { defineVerb } from '../verb.ts'
import { containersNamed, report } from './targets.ts'

export const rename = defineVerb({
  operands: 'CONTAINER NAME',
  count: { minimum: 2, maximum: 2 },
  description:
    'Gives a container another name, under which commands find it. Its name inside the pod, POD/NAME, stays: that is ' +
    'what the manifest says.',
  examples: [{ does: 'A shorter name', line: 'tspod rename web-nginx www' }],
  flags: {},
  async run({ operands: [asked = '', name = ''] }, world) {
    const engine = await world.engine()
    const { found, missing } = await containersNamed(engine, [asked], {}, world.clock.nowMs())
    for (const { view } of found) await engine.rename(view.podId, view.id, name, world.signal)
    return report([], [], missing)
  },
})
