/** A volume as scripts see it: our JSON names, which are stable, with those of `podman volume inspect` beside them. */
import type { VolumeView } from '../../engine/index.ts'
import { timestamp } from '../table.ts'
import { rfc3339, type Struct } from '../template/index.ts'

export const volumeRecord = (volume: VolumeView): Struct => ({
  name: volume.name,
  directory: volume.directory,
  pods: volume.pods,
  ...(volume.app !== undefined && { app: volume.app }),
  labels: new Map(Object.entries(volume.labels)),
  annotations: new Map(Object.entries(volume.annotations)),
  created: timestamp(volume.createdMs),
  ...podmanRecord(volume),
})

/** What a template finds, and the record of Podman. */
export const podmanRecord = ({ name, directory, labels, annotations, pods, createdMs }: VolumeView): Struct => ({
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
