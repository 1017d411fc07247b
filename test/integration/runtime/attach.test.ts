import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { systemClock } from '../../../src/clock.ts'
import { connectPackets } from '../../../src/packet.ts'
import { type Lab, makeLab } from '../../support/container.ts'
import { eventually } from '../../support/wait.ts'

const COUNTING = 'i=0; while :; do i=$((i+1)); echo $i; done'

let lab: Lab
beforeEach(async () => {
  lab = await makeLab()
})
afterEach(() => lab.remove())

const connect = () => connectPackets(join(lab.directory, 'bundle/attach'), systemClock)
const descriptors = (pid: number | 'self'): number => readdirSync(`/proc/${pid}/fd`).length

test('who connects before the start misses nothing; each packet names its stream', async () => {
  lab.configure('echo out; read line; echo "err $line" >&2; exit 3')
  const created = await lab.create({ stdin: true })
  const socket = await connect()
  await lab.start()
  expect(await socket.receive()).toEqual(Buffer.from('\x02out\n'))
  expect(await socket.send(Buffer.from('word\n'))).toBe(true)
  expect(await socket.receive()).toEqual(Buffer.from('\x03err word\n'))
  expect(await socket.receive()).toBeUndefined()
  expect(await lab.wait(created)).toMatchObject({ is: 'exited', exit: { code: 3 } })
  socket.close()
  expect(await socket.send(Buffer.from('x'))).toBe(false)
  await expect(connect()).rejects.toThrow(expect.objectContaining({ code: 'ENOENT' }))
})

test('a slow reader stops the container instead of losing output or filling memory', async () => {
  lab.configure(COUNTING)
  await lab.create()
  const socket = await connect()
  await lab.start()
  // The log stands still once everything between container and reader is full.
  let size = 0
  await eventually(
    async () => lab.log().length,
    lines => {
      const still = lines === size
      size = lines
      return still && lines > 0
    },
  )
  let text = ''
  while (!text.includes(`\n${size + 1000}\n`)) text += (await socket.receive())?.subarray(1).toString()
  const numbers = text.split('\n').slice(0, -1)
  expect(numbers).toEqual(numbers.map((_, index) => String(index + 1)))
  socket.close()
})

test('two thousand attachments leave no descriptor open, here or in conmon', async () => {
  lab.configure(COUNTING)
  const { conmonPid } = await lab.create()
  await lab.start()
  const visit = async (): Promise<void> => {
    const socket = await connect()
    await socket.receive()
    socket.close()
  }
  await visit()
  const before = [descriptors('self'), descriptors(conmonPid)]
  for (let n = 0; n < 2000; n++) await visit()
  await eventually(
    async () => [descriptors('self'), descriptors(conmonPid)].join(),
    now => now.split(',').every((count, side) => Number(count) <= before[side]!),
  )
})
