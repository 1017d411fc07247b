/** Installs `bin/lying-runtime` in a cell as the runtime `liar`, and tells it when to go wrong. */
import { mustSucceed } from '../../src/process.ts'
import type { Place } from './place.ts'

export type Mode = 'fail' | 'die' | 'die-after' | 'hang' | 'hang-after' | 'garbage' | 'nothing'
export type Verb = 'create' | 'start' | 'delete' | 'kill' | 'state'

export type Liar = {
  /** How the given verbs go wrong from now on; all others work. */
  lies(modes: Partial<Record<Verb, Mode>>): Promise<void>
}

const DIRECTORY = '/run/liar'

/** The runtime `liar` of `place`, in front of `real`, with a deadline that keeps tests short. */
export async function installLiar(place: Place, real: string, timeoutSeconds: number): Promise<Liar> {
  const config = `[runtime]\ntimeout_seconds = ${timeoutSeconds}\n\n[runtimes.liar]\npath = "${DIRECTORY}/runtime"\n`
  const sh = async (line: string, input?: string): Promise<void> => {
    mustSucceed(await place.sh(line, input === undefined ? {} : { input }), line)
  }
  await sh(`mkdir -p ${DIRECTORY}; cp ${place.checkout}/test/support/bin/lying-runtime ${DIRECTORY}/runtime`)
  await sh(`command -v ${real} >${DIRECTORY}/real; cat >/etc/tspod/tspod.toml`, config)
  return {
    lies: async modes => {
      const words = Object.entries(modes).map(([verb, mode]) => `echo ${mode} >${DIRECTORY}/${verb}`)
      await sh([`cd ${DIRECTORY}; rm -f create start delete kill state`, ...words].join('; '))
    },
  }
}
