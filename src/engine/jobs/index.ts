/** Jobs: pods that are made one after the other until enough of them have succeeded. */

export { LONGEST_JOB_WAIT_MS, noteJobWish, tendJob } from './tend.ts'
export { tendNamed, tendWith } from './tending.ts'
