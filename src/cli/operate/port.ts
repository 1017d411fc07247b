/** `tspod port`: which ports of the host lead to a container. */
import type { ContainerView } from '../../engine/index.ts'
import { TspodError } from '../../errors.ts'
import type { PortSpec } from '../../model.ts'
import type { FlagTable } from '../flags.ts'
import { latestContainer, latestProblems } from '../latest.ts'
import { hostAddress } from '../table.ts'
import { defineVerb } from '../verb.ts'
import { containersNamed, TARGET_FLAGS } from './targets.ts'

const FLAGS = { ...TARGET_FLAGS } as const satisfies FlagTable

const PORT = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/

export const port = defineVerb({
  operands: 'CONTAINER [PORT[/PROTOCOL]]',
  count: { minimum: 0, maximum: 2 },
  description:
    'Lists which ports of the host lead to which ports of a container. With a port of the container only the ' +
    'addresses on the host are printed, and there being none is an error.',
  examples: [
    { does: 'All ports of a container', line: 'tspod port web-nginx' },
    { does: 'Where its port 80 is on the host', line: 'tspod port web-nginx 80' },
    { does: 'All ports of all containers', line: 'tspod port --all' },
  ],
  flags: FLAGS,
  check({ flags, operands }) {
    const name = flags.latest || flags.all ? [] : operands.slice(0, 1)
    const asked = operands.slice(name.length)
    if (flags.all && asked.length > 0) return [{ message: '--all takes neither a name nor a port' }]
    const wrong = asked.filter(text => !PORT.test(text))
    const remedy = 'a port of the container: 80, 53/udp'
    return [
      ...latestProblems(flags, name),
      ...wrong.map(text => ({ message: `invalid port "${text}"`, remedy })),
      ...(asked.length > 1 ? [{ message: 'one port at a time', remedy }] : []),
    ]
  },
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const names = flags.latest ? [await latestContainer(engine)] : operands.slice(0, 1)
    const asked = flags.all ? undefined : operands[flags.latest ? 0 : 1]
    const wish = { all: flags.all }
    const { found, missing } = await containersNamed(engine, names, wish, world.clock.nowMs())
    if (missing[0] !== undefined) throw missing[0]
    if (asked !== undefined) return { stdout: found.map(({ view }) => addressesOf(view, asked)).join('') }
    const lines = found.flatMap(({ view }) =>
      published(view).map(one => {
        const line = `${one.containerPort}/${one.protocol} -> ${hostAddress(one)}\n`
        return flags.all ? `${view.id.slice(0, 12)}\t${line}` : line
      }),
    )
    return { stdout: lines.join('') }
  },
})

type Published = PortSpec & { hostPort: number }
const published = ({ ports }: ContainerView): Published[] =>
  ports.flatMap(one => (one.hostPort === undefined ? [] : [{ ...one, hostPort: one.hostPort }]))

/** The addresses of one port, tcp unless the protocol is named. Throws NO_SUCH_OBJECT when it is not published. */
function addressesOf(view: ContainerView, asked: string): string {
  const [, number, protocol = 'tcp'] = PORT.exec(asked) ?? []
  const wanted = published(view).filter(one => one.containerPort === Number(number) && one.protocol === protocol)
  if (wanted.length > 0) return wanted.map(one => `${hostAddress(one)}\n`).join('')
  throw new TspodError('NO_SUCH_OBJECT', `no public port "${number}/${protocol}" published for ${view.name}`, {
    remedy: `see those there are: tspod port ${view.name}`,
  })
}
