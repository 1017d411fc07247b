/** Manifests as units of a booted machine: files, verbs, and what systemd says of them. */
import type { Machine } from './machine.ts'
import { type PodWish, pods, podText, tspod } from './tspod.ts'

const FOLDER = '/etc/tspod/kube'

export type MachineUnits = ReturnType<typeof unitsOn>

/** The units of one machine. */
export function unitsOn(machine: Machine) {
  const write = async (path: string, text: string): Promise<void> => {
    const folder = path.slice(0, path.lastIndexOf('/'))
    const written = await machine.exec(['sh', '-c', 'mkdir -p "$1" && cat >"$2"', 'sh', folder, path], { input: text })
    if (written.exitCode !== 0) throw new Error(written.stderr)
  }
  const show = async (unit: string, property: string): Promise<string> =>
    (await machine.exec(['systemctl', 'show', '-P', property, unit])).stdout.trim()
  const active = async (name: string): Promise<string> => {
    const unit = `tspod-kube@${name}.service`
    return `${await show(unit, 'ActiveState')} ${await show(unit, 'Result')}`
  }
  return {
    write,
    show,
    /** NAME.yaml with one pod of that name. */
    manifest: (name: string, wish: PodWish = {}) => write(`${FOLDER}/${name}.yaml`, podText(name, wish)),
    options: (name: string, text: string) => write(`${FOLDER}/${name}.conf`, text),
    /** `tspod systemd …`: what it says and its exit code. */
    verb: (...args: string[]) => tspod(machine, ['systemd', ...args]),
    active,
    /** State of the unit NAME, and the pods there are. */
    async truth(name: string): Promise<string> {
      const running = (await pods(machine)).map(pod => `${pod.name} ${pod.phase}`)
      return `${await active(name)}: ${running.join(', ')}`
    },
    /** What of tspod's is left: pods, noted manifests, processes. */
    async leftovers(): Promise<string> {
      const rest = await machine.sh('find /run/tspod -name "unit:*"; pgrep -x conmon; pgrep -x catatonit; true')
      return `${(await pods(machine)).map(({ name }) => name).join(' ')}${rest.stdout}`
    },
  }
}
