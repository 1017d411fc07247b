/** `volumeMounts` of a container. */
import type { MountSpec, VolumeSpec } from '../../model.ts'
import type { Field } from '../yaml/index.ts'
import { didYouMean, pathProblem, quote, textProblem, tidyPath } from '../yaml/index.ts'

/** The volumes of a pod by name; undefined for one that has a mistake. */
export type Volumes = ReadonlyMap<string, VolumeSpec | undefined>

/** The mounts in the order of the manifest; one of a volume with a mistake is left out. */
export function readMounts(list: Field, volumes: Volumes, privileged: boolean): MountSpec[] {
  const taken = new Set<string>()
  return list.items().flatMap(item => {
    const nameField = item.at('name')
    const name = nameField.string() ?? ''
    if (name !== '' && !volumes.has(name)) {
      nameField.issue(
        'NOT_FOUND',
        `no volume is called ${quote(name)}`,
        didYouMean(name, volumes.keys()) ?? 'add it to spec.volumes',
      )
    }
    const path = mountPath(item.at('mountPath'), taken)
    const within = readWithin(item)
    const propagation = readPropagation(item.at('mountPropagation'), privileged)
    const recursive = readRecursive(item, propagation)
    const volume = volumes.get(name)
    if (path === undefined || volume === undefined) return []
    const readOnly = (item.at('readOnly').boolean() ?? false) || isReadOnly(volume)
    return { volume: name, path, readOnly, ...within, propagation, ...recursive }
  })
}

const isReadOnly = (volume: VolumeSpec): boolean =>
  volume.kind === 'files' || volume.kind === 'image' || (volume.kind === 'claim' && volume.readOnly)

function readPropagation(field: Field, privileged: boolean): MountSpec['propagation'] {
  const propagation = field.oneOf(['None', 'HostToContainer', 'Bidirectional'], 'None')
  if (propagation === 'Bidirectional' && !privileged)
    field.issue('FORBIDDEN', 'Bidirectional is for privileged containers only', 'use HostToContainer')
  return propagation
}

/** Read-only is recursive wherever the kernel can do it: what may be asked for is that it must be. */
function readRecursive(item: Field, propagation: MountSpec['propagation']): { recursiveReadOnly?: true } {
  const field = item.at('recursiveReadOnly')
  const wanted = field.oneOf(['Disabled', 'IfPossible', 'Enabled'], 'Disabled')
  if (wanted === 'Disabled') return {}
  if (!(item.at('readOnly').boolean() ?? false))
    field.issue('FORBIDDEN', 'may only be specified when readOnly is true', 'add readOnly: true')
  if (propagation !== 'None')
    field.issue(
      'FORBIDDEN',
      'may only be specified when mountPropagation is None or not specified',
      'remove one of them',
    )
  return wanted === 'Enabled' ? { recursiveReadOnly: true } : {}
}

function readWithin(item: Field): { subPath?: string; subPathExpr?: string } {
  const subPath = readSubPath(item.at('subPath'))
  const expression = item.at('subPathExpr')
  const subPathExpr = readSubPath(expression)
  if (subPath !== undefined && subPathExpr !== undefined)
    expression.issue('INVALID_VALUE', 'subPathExpr and subPath are mutually exclusive', 'keep one of them')
  return { ...(subPath !== undefined && { subPath }), ...(subPathExpr !== undefined && { subPathExpr }) }
}

function mountPath(field: Field, taken: Set<string>): string | undefined {
  const text = field.string() ?? ''
  if (text === '') return undefined
  const path = tidyPath(text.startsWith('/') ? text : `/${text}`)
  const colon = text.includes(':') ? "must not contain ':'" : undefined
  const parent = text.split('/').includes('..') ? "must not contain '..'" : undefined
  const problem = colon ?? parent ?? textProblem(text) ?? (path === '/' ? 'would hide the whole image' : undefined)
  if (problem !== undefined) {
    field.issue(
      'INVALID_VALUE',
      `${quote(text)} ${problem}`,
      colon === undefined ? undefined : 'options have fields of their own, such as readOnly',
    )
    return undefined
  }
  if (taken.has(path)) field.issue('INVALID_VALUE', `${quote(text)} must be unique`, 'choose another path')
  taken.add(path)
  return path
}

function readSubPath(field: Field): string | undefined {
  const text = field.string()
  if (text === undefined || text === '') return undefined
  const problem = pathProblem(text)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(text)} ${problem}`)
  return tidyPath(text) || undefined
}
