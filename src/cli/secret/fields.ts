/** A Secret as scripts see it: our JSON names, which are stable, with those of `podman secret` beside them. */
import type { SecretView } from '../../engine/index.ts'
import { timestamp } from '../table.ts'
import { rfc3339, type Struct } from '../template/index.ts'

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
