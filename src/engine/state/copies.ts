/**
 * A file beside the database for each pod, with its records as they were when it was last played: what the database
 * is made anew from on the day it is damaged, or was put back from an old backup. Nothing else reads them.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDiskTrouble, isMissing } from '../../errors.ts'
import type { PodManifest } from '../../model.ts'
import { copyDirectory, type Paths } from '../../paths.ts'
import type { ContainerRecord, PodRecord, SandboxFacts } from './records.ts'

export type PodCopy = { pod: PodRecord; containers: ContainerRecord[]; sandbox: SandboxFacts; manifest?: PodManifest }

/** Writes the copy of one pod. It is not worth waiting for the disk, and a full one is no reason to fail. */
export function keepCopy(paths: Paths, { pod, containers, sandbox, manifest }: PodCopy): void {
  const copy: PodCopy = { pod, containers, sandbox, ...(manifest !== undefined && { manifest }) }
  const directory = copyDirectory(paths)
  const path = join(directory, `${pod.id}.json`)
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    writeFileSync(`${path}.new`, JSON.stringify(copy), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  } catch (error) {
    if (!isDiskTrouble(error)) throw error
    rmSync(`${path}.new`, { force: true })
  }
}

/** Removes the copy of a pod that goes; before its records do, so that it never comes back from it. */
export function dropCopy(paths: Paths, podId: string): void {
  rmSync(join(copyDirectory(paths), `${podId}.json`), { force: true })
}

/** All copies that can be read; one that a power cut left half written tells nothing. */
export function readCopies(paths: Paths): PodCopy[] {
  return namesOf(copyDirectory(paths)).flatMap(name => {
    try {
      const copy = JSON.parse(readFileSync(join(copyDirectory(paths), name), 'utf8')) as PodCopy
      return `${copy.pod.id}.json` === name ? [copy] : []
    } catch (error) {
      if (error instanceof SyntaxError || isMissing(error)) return []
      throw error
    }
  })
}

function namesOf(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter(name => /^[0-9a-f]{64}\.json$/.test(name))
      .sort()
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
