/** A service manager's ear in a cell: every datagram that reaches a socket, as it is. */
import { join } from 'node:path'
import type { Place } from './place.ts'
import { eventually } from './wait.ts'

export type Message = { text: string; descriptors: number; pid: number }

export type Ear = {
  socket: string
  /** What has come so far. */
  messages(): Promise<Message[]>
  stop(): Promise<void>
}

let ears = 0

/** Listens at `socket`, a path or @NAME; with `limit` it reads so many and then no more, as one that hangs. */
export async function listen(place: Place, socket?: string, limit?: number): Promise<Ear> {
  const own = `/tmp/ear-${++ears}`
  const address = socket ?? `${own}.sock`
  const script = join(place.checkout, 'test/support/notify.py')
  const line = `python3 ${script} '${address}' ${own}.json ${limit ?? ''} >${own}.out 2>&1 & echo $!`
  const pid = (await place.sh(line)).stdout.trim()
  const read = async (file: string): Promise<string> => (await place.sh(`cat ${file}`)).stdout
  await eventually(
    () => read(`${own}.out`),
    text => text.includes('ready'),
  )
  return {
    socket: address,
    messages: async () =>
      (await read(`${own}.json`))
        .split('\n')
        .filter(Boolean)
        .map(text => JSON.parse(text)),
    stop: async () => {
      await place.sh(`kill ${pid}; rm -f ${own}.*`)
    },
  }
}
