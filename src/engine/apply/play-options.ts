/** How apply plays: what it makes takes the place of what was there, and runs. */
import { PLAIN_OPTIONS } from '../play/index.ts'
import type { ApplyRequest, PlayOptions } from '../types/index.ts'

export const playOptions = ({ pull, runtime }: ApplyRequest): PlayOptions => ({
  ...PLAIN_OPTIONS,
  replace: true,
  pull,
  ...(runtime !== undefined && { runtime }),
})
