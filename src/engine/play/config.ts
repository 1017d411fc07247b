/** config.json of a container, as the runtime was given it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../../errors.ts'
import type { OciConfig } from '../../oci/index.ts'
import { containerRunDirectory } from '../../paths.ts'
import type { EngineContext } from '../context.ts'

/** What the container was last created with; undefined when it was not, on this boot. */
export async function configOf(context: EngineContext, id: string): Promise<OciConfig | undefined> {
  const file = join(containerRunDirectory(context.paths, id), 'config.json')
  const text = await readFile(file, 'utf8').catch(error => {
    if (isMissing(error)) return undefined
    throw error
  })
  return text === undefined ? undefined : (JSON.parse(text) as OciConfig)
}
