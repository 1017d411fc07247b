/** A Secret as people and scripts see it: our JSON names, which are stable, with those of `podman secret`. */
import type { SecretView } from '../../engine/index.ts'
import type { Shown } from '../listing.ts'
import { printable } from '../output.ts'
import { age, timestamp } from '../table.ts'
import { humanDuration, rfc3339, type Struct } from '../template/index.ts'

/** What `table …` puts above a field (podman secret ls). */
const TITLES: Readonly<Record<string, string>> = {
  CreatedAt: 'CREATED',
  Driver: 'DRIVER',
  ID: 'ID',
  Name: 'NAME',
  UpdatedAt: 'UPDATED',
}

/** How Secrets are shown, without their values; `nowMs` is what ages are counted to. */
export const shownSecret = (nowMs: number): Shown<SecretView> => ({
  quiet: ({ id }) => id,
  header: ['NAME', 'TYPE', 'DATA', 'APP', 'AGE'],
  cells: ({ name, type, keys, app, createdMs }) => [
    name,
    printable(type),
    String(keys.length),
    printable(app ?? ''),
    age(nowMs - createdMs),
  ],
  record: secretRecord,
  fields: secret => {
    const ago = `${humanDuration(nowMs - secret.createdMs)} ago`
    return { ...secretRecord(secret), Name: secret.name, Driver: 'file', CreatedAt: ago, UpdatedAt: ago }
  },
  titles: TITLES,
  typeName: 'secrets.secretListReport',
})

export const secretRecord = (secret: SecretView): Struct => ({
  name: secret.name,
  id: secret.id,
  type: secret.type,
  keys: secret.keys,
  immutable: secret.immutable,
  ...(secret.app !== undefined && { app: secret.app }),
  created: timestamp(secret.createdMs),
  ID: secret.id,
  CreatedAt: rfc3339(new Date(secret.createdMs)),
  // One that is changed is another one, with another id.
  UpdatedAt: rfc3339(new Date(secret.createdMs)),
  Spec: { Name: secret.name, Driver: { Name: 'file', Options: new Map() }, Labels: new Map() },
})
