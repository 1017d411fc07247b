/** localhost/tspod-demo:latest, the image of the examples. Run as a program it puts it into containers-storage. */
import { spawnSync } from 'node:child_process'
import { buildImage } from '../test/support/image.ts'

export const DEMO_IMAGE = 'localhost/tspod-demo:latest'

/** True when an image of this name is in containers-storage. */
export function hasImage(name: string): boolean {
  return spawnSync('containers-storage', ['image', name], { stdio: 'ignore' }).status === 0
}

/** Makes the demo image, replacing an older one; returns its digest. */
export const makeDemoImage = (): string => buildImage(DEMO_IMAGE)

if (import.meta.main) console.log(`${DEMO_IMAGE} ${makeDemoImage()}`)
