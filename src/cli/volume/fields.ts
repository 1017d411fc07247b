/** A volume as people and scripts see it: our JSON names, which are stable, with those of `podman volume inspect`. */
import type { VolumeView } from '../../engine/index.ts'
import type { Shown } from '../listing.ts'
import { printable } from '../output.ts'
import { age, timestamp } from '../table.ts'
import { rfc3339, type Struct } from '../template/index.ts'

/** What `table …` puts above a field (podman volume ls). */
const TITLES: Readonly<Record<string, string>> = {
  CreatedAt: 'CREATED AT',
  Driver: 'DRIVER',
  Labels: 'LABELS',
  MountCount: 'MOUNT COUNT',
  Mountpoint: 'MOUNTPOINT',
  Name: 'VOLUME NAME',
  Options: 'OPTIONS',
  Scope: 'SCOPE',
}

/** How volumes are shown; `nowMs` is what ages are counted to. */
export const shownVolume = (nowMs: number): Shown<VolumeView> => ({
  quiet: ({ name }) => name,
  header: ['NAME', 'PODS', 'APP', 'AGE'],
  cells: ({ name, pods, app, createdMs }) => [name, pods.join(','), printable(app ?? ''), age(nowMs - createdMs)],
  record: volume => ({
    name: volume.name,
    directory: volume.directory,
    pods: volume.pods,
    ...(volume.app !== undefined && { app: volume.app }),
    labels: new Map(Object.entries(volume.labels)),
    annotations: new Map(Object.entries(volume.annotations)),
    created: timestamp(volume.createdMs),
    ...podmanRecord(volume),
  }),
  fields: podmanRecord,
  titles: TITLES,
  typeName: '*entities.VolumeListReport',
})

const podmanRecord = ({ name, directory, labels, annotations, pods, createdMs }: VolumeView): Struct => ({
  Name: name,
  Driver: 'local',
  Mountpoint: directory,
  CreatedAt: rfc3339(new Date(createdMs)),
  Labels: new Map(Object.entries(labels)),
  Scope: 'local',
  Options: new Map(
    ['device', 'type', 'mount-options'].flatMap(option => {
      const value = annotations[`volume.podman.io/${option}`]
      return value === undefined ? [] : [[option === 'mount-options' ? 'o' : option, value] as const]
    }),
  ),
  MountCount: pods.length,
})
