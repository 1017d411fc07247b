/** Volumes and mounts of a pod: made, checked beneath their roots, removed. */

export { isBehind, mountClaim, releaseClaims, underVolumeLock } from './devices.ts'
export { hostPathProblem } from './host-path.ts'
export { imageLayers, mountImage, POD_DIGITS, removeImageVolumes } from './images.ts'
export { readMountPoints, unmountBelow } from './mounts.ts'
export { createVolume, findVolume, listVolumes, removeNamed } from './named.ts'
export { insertVolume, isVolume, ownerIn, ownerOf, removeEphemeral, removeVolume, writeVolumes } from './records.ts'
export { listSecrets, removeSecrets, storedSecrets, writeSecrets } from './secrets.ts'
export { plainPath } from './subpaths.ts'
export { mountsOf, type PreparedVolumes, prepareVolumes, removeVolumes } from './volumes.ts'
