/**
 * The private ears for containers that say themselves when they are ready (io.containers.sdnotify: container). Each has
 * a socket of ours below /run/notify; only `READY=1` counts, and everything else is taken and dropped, so that no
 * container ever waits for a reader. conmon could relay, as it does for Podman, but stops reading after a burst
 * (2.1.6 and 2.1.12: some hundred messages, docs/adr/0009-notify.md).
 */
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { TspodError } from '../errors.ts'
import type { Id } from '../model.ts'
import { type DatagramSocket, listenDatagrams } from '../packet.ts'
import { notifyDirectory } from '../paths.ts'
import type { EngineContext } from './context.ts'
import { readContainer } from './state/index.ts'

export type Proxies = {
  /** Listens for a container that is about to be made. */
  open(id: Id): void
  /**
   * Waits until a container that is listened for is ready. Throws START_FAILED when it has ended instead, and with the
   * reason of `signal`.
   */
  ready(id: Id, signal: AbortSignal): Promise<void>
  close(): void
}

type Needed = Pick<EngineContext, 'paths' | 'store' | 'clock'>

/** How soon it is noticed that a container has ended without a word. */
const LOOK_MS = 500

/** Ears of one command; they go on listening until they are closed. */
export function openProxies(context: Needed): Proxies {
  const sockets = new Map<Id, DatagramSocket>()
  const heard = new Map<Id, Promise<void>>()
  return {
    open: id => {
      const directory = notifyDirectory(context.paths, id)
      mkdirSync(directory, { recursive: true })
      const path = join(directory, 'notify.sock')
      const socket = listenDatagrams(path)
      // Whoever the container runs as; from outside nobody gets below our own directory.
      chmodSync(path, 0o777)
      sockets.set(id, socket)
      heard.set(id, new Promise<void>(resolve => void hear(socket, resolve)))
    },
    ready: async (id, signal) => {
      const word = heard.get(id)
      if (word !== undefined) await readyOrEnded(context, id, word, signal)
    },
    close: () => {
      for (const socket of sockets.values()) socket.close()
      sockets.clear()
    },
  }
}

async function hear(socket: DatagramSocket, onReady: () => void): Promise<void> {
  for (;;) {
    const message = await socket.receive()
    if (message === undefined) return
    if (message.toString('latin1').split('\n').includes('READY=1')) onReady()
  }
}

async function readyOrEnded(
  { store, clock }: Needed,
  id: Id,
  heard: Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const pause = new AbortController()
    const stop = AbortSignal.any([pause.signal, signal])
    const late = clock.sleep(LOOK_MS, stop).then(
      () => 'late',
      () => 'late',
    )
    const news = await Promise.race([heard.then(() => 'ready'), late])
    pause.abort()
    if (news === 'ready') return
    signal.throwIfAborted()
    if ((await readContainer(store, id))?.state !== 'running') throw endedUnready(id)
  }
}

const endedUnready = (id: Id): TspodError =>
  new TspodError('START_FAILED', `container stopped running before READY message was received: ${id}`, {
    remedy: `see what it said: tspod logs ${id.slice(0, 12)}`,
  })
