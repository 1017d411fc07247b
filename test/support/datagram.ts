/**
 * A UDP server of one answer, and a client, for published ports: busybox has neither.
 * usage: datagram.ts answer PORT | datagram.ts ask ADDRESS PORT TEXT
 */
import { createSocket } from 'node:dgram'

const ANSWER_TIMEOUT_MS = 3_000

const [mode, ...words] = process.argv.slice(2)
const socket = createSocket('udp4')
if (mode === 'answer') {
  socket.on('message', (text, from) => socket.send(`answer to ${text}`, from.port, from.address, () => socket.close()))
  socket.bind(Number(words[0]), () => console.log('ready'))
} else {
  const [address, port, text] = words
  socket.on('message', answer => {
    console.log(String(answer))
    socket.close()
  })
  socket.send(text!, Number(port), address!)
  setTimeout(() => {
    console.error('no answer')
    process.exit(1)
  }, ANSWER_TIMEOUT_MS).unref()
}
