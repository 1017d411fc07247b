/** Which Secret is meant: by its name, or by the beginning of its id. */
import type { SecretView } from '../../engine/index.ts'
import { TspodError } from '../../errors.ts'

/** An id may be shortened to this many digits. */
const ID_PREFIX = /^[0-9a-f]{4,}$/

/** Undefined when there is none. Throws AMBIGUOUS_ID when an id prefix fits several. Pure. */
export function secretNamed(all: readonly SecretView[], asked: string): SecretView | undefined {
  const named = all.find(({ name }) => name === asked)
  if (named !== undefined || !ID_PREFIX.test(asked)) return named
  const [first, second] = all.filter(({ id }) => id.startsWith(asked))
  if (second === undefined) return first
  throw new TspodError('AMBIGUOUS_ID', `more than one secret has an id that begins with ${asked}`, {
    remedy: 'give more digits of the id: tspod secret ls -q',
  })
}

/** There is none; `doing` is what Podman begins the sentence with. */
export const noSecret = (asked: string, doing = ''): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `${doing}no secret with name or id "${asked}": no such secret`, {
    remedy: 'see what there is: tspod secret ls',
  })
