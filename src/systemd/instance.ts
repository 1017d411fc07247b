/** Which manifest a unit of the template stands for, and which unit a manifest has. Pure. */
import { TspodError } from '../errors.ts'
import { escapeName, instanceUnit, unescapeName } from './escape.ts'

/** The template: `tspod-kube@INSTANCE.service`. */
export const TEMPLATE = 'tspod-kube'
export const TEMPLATE_UNIT = `${TEMPLATE}@.service`

/** One manifest that is run as a unit. */
export type KubeUnit = {
  /** `tspod-kube@….service`. */
  unit: string
  /** A name below the folder of manifests, or the manifest's path. */
  shown: string
  /** Absolute. */
  manifest: string
  /** Where its options are, whether or not they exist: NAME.conf for NAME.yaml there, FILE.conf beside other files. */
  options: string
}

/** So that the instance is the name as it is written: no dash first, which is what a path's slash becomes. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/
const UNIT = new RegExp(`^${TEMPLATE}@(.+)\\.service$`, 's')

/** What stands between the @ and the ending. */
export const instanceOf = (unit: string): string => UNIT.exec(unit)?.[1] ?? unit

/** The unit of NAME, which is `NAME.yaml` in `folder`. Throws USAGE for what is no name. */
export function unitOfName(name: string, folder: string): KubeUnit {
  if (!NAME.test(name)) {
    throw new TspodError('USAGE', `"${name}" is no name of a manifest in ${folder}`, {
      remedy: 'use letters, digits and . _ : -, or write the path of a file (./NAME)',
    })
  }
  return {
    unit: instanceUnit(TEMPLATE, name),
    shown: name,
    manifest: `${folder}/${name}.yaml`,
    options: `${folder}/${name}.conf`,
  }
}

/** The unit of a file by its absolute path; one in `folder` is known by its name. */
export function unitOfPath(path: string, folder: string): KubeUnit {
  const name = path.startsWith(`${folder}/`) ? /^([^/]+)\.yaml$/.exec(path.slice(folder.length + 1))?.[1] : undefined
  if (name !== undefined && NAME.test(name)) return unitOfName(name, folder)
  return { unit: instanceUnit(TEMPLATE, escapeName(path)), shown: path, manifest: path, options: `${path}.conf` }
}

/**
 * The unit by what systemd hands over as `%i`: an escaped absolute path, which begins with a dash, or a name. Throws
 * USAGE for what is neither.
 */
export function unitOfInstance(instance: string, folder: string): KubeUnit {
  if (instance.startsWith('-'))
    return { ...unitOfPath(unescapeName(instance), folder), unit: `${TEMPLATE}@${instance}.service` }
  // Who has escaped a name as well means the same one.
  const name = instance.replace(/\\x([0-9a-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
  return { ...unitOfName(name, folder), unit: `${TEMPLATE}@${instance}.service` }
}

/** What a person may write for a unit: its whole name, a file (anything with a slash or a manifest's ending), a NAME. */
export function unitOfOperand(operand: string, folder: string, absolute: (path: string) => string): KubeUnit {
  const instance = UNIT.exec(operand)?.[1]
  if (instance !== undefined) return unitOfInstance(instance, folder)
  if (operand.includes('/') || /\.(ya?ml|json)$/i.test(operand)) return unitOfPath(absolute(operand), folder)
  return unitOfName(operand, folder)
}
