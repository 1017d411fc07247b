/** References to images, and when they are pulled. */
import type { PullPolicy } from '../../model.ts'
import type { Field } from '../yaml/index.ts'
import { parseImage, quote } from '../yaml/index.ts'

/** The image of a container or a volume, `whose`, with the policy to pull it by. */
export function readImage(
  field: Field,
  policyField: Field,
  whose = 'a container',
): { image: string; pullPolicy: PullPolicy } {
  const image = field.string() ?? ''
  const explicit = policyField.oneOf(['', 'Always', 'IfNotPresent', 'Never'], '')
  if (image === '') {
    if (!field.present || field.string() === '') field.issue('REQUIRED', `${whose} must have an image`, 'add it')
    return { image, pullPolicy: explicit || 'IfNotPresent' }
  }
  const reference = parseImage(image)
  if ('problem' in reference) {
    field.issue('INVALID_VALUE', `${quote(image)} ${reference.problem}`)
    return { image, pullPolicy: explicit || 'IfNotPresent' }
  }
  return { image, pullPolicy: explicit || defaultPolicy(reference) }
}

/**
 * For the tag latest a registry is asked, as in Kubernetes, without failing where the image is present already. An
 * image of `localhost/` was built here, and no registry could have a newer one.
 */
function defaultPolicy(reference: { name: string; tag?: string; digest?: string }): PullPolicy {
  const isLatest = reference.digest === undefined && (reference.tag ?? 'latest') === 'latest'
  return isLatest && !reference.name.startsWith('localhost/') ? 'Newer' : 'IfNotPresent'
}
