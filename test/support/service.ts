/** Units of the template on a test machine: made, started, looked at, and gone again. */
import type { Machine } from './machine.ts'
import { eventually } from './wait.ts'

export type Service = {
  unit: string
  start(): Promise<number>
  stop(): Promise<number>
  /** Values of properties, in the order asked for. */
  show(...properties: string[]): Promise<string[]>
  /** Waits until it is in one of these states, and answers which. */
  reaches(...states: string[]): Promise<string>
  /** Every cgroup of it that holds processes, by its path below the unit, with their command names. */
  cgroups(): Promise<Record<string, string[]>>
  /** Stops it and removes its files. */
  remove(): Promise<void>
}

const FOLDER = '/etc/tspod/kube'

/** Installs the template of the checkout. */
export async function installTemplate(machine: Machine): Promise<void> {
  const template = '/src/templates/tspod-kube@.service'
  const filled = `sed -e s,@TSPOD@,/src/bin/tspod,g -e s,@HOME@,/src,g ${template}`
  await machine.sh(`mkdir -p ${FOLDER}; ${filled} >/run/systemd/system/tspod-kube@.service; systemctl daemon-reload`)
}

/** The service of a manifest; `options` are lines below [Kube], `dropIn` lines of the unit's own. */
export async function makeService(
  machine: Machine,
  name: string,
  manifest: string,
  { options = '', dropIn = '' } = {},
): Promise<Service> {
  const unit = `tspod-kube@${name}.service`
  const drop = `/run/systemd/system/${unit}.d`
  await machine.sh(`cat >${FOLDER}/${name}.yaml`, { input: manifest })
  if (options !== '') await machine.sh(`cat >${FOLDER}/${name}.conf`, { input: `[Kube]\n${options}\n` })
  if (dropIn !== '') {
    const line = `mkdir -p '${drop}'; cat >'${drop}/test.conf'; systemctl daemon-reload`
    await machine.sh(line, { input: `[Service]\n${dropIn}\n` })
  }
  const act = async (verb: string): Promise<number> => (await machine.exec(['systemctl', verb, unit])).exitCode
  const show: Service['show'] = async (...properties) => {
    const asked = properties.map(property => `--property=${property}`)
    const { stdout } = await machine.exec(['systemctl', 'show', unit, ...asked])
    const found = new Map(stdout.split('\n').map(line => line.split(/=(.*)/s) as [string, string]))
    return properties.map(property => found.get(property) ?? '')
  }
  return {
    unit,
    start: () => act('start'),
    stop: () => act('stop'),
    show,
    reaches: async (...states) =>
      (
        await eventually(
          () => show('ActiveState'),
          ([state = '']) => states.includes(state),
          30_000,
        )
      )[0]!,
    cgroups: async () => {
      const [path] = await show('ControlGroup')
      const line = `cd /sys/fs/cgroup'${path}' && find . -name cgroup.procs | while read -r file; do
        for pid in $(cat "$file"); do echo "$(dirname "$file") $(cat /proc/$pid/comm)"; done; done`
      const found: Record<string, string[]> = {}
      for (const text of (await machine.sh(line)).stdout.split('\n').filter(Boolean).sort()) {
        const [where = '', comm = ''] = text.split(' ')
        // An id is another one each time.
        const key = where.replace(/^\.\//, '').replace(/-[0-9a-f]{12}(?=\/|$)/, '')
        found[key] = [...(found[key] ?? []), comm]
      }
      return found
    },
    remove: async () => {
      await act('stop')
      await machine.sh(
        `systemctl reset-failed '${unit}'; rm -rf ${FOLDER}/${name}.* '${drop}'; systemctl daemon-reload`,
      )
      // systemd keeps the slice of a template's instances until it is told.
      await machine.exec(['systemctl', 'stop', 'system-tspod\\x2dkube.slice'])
    },
  }
}
