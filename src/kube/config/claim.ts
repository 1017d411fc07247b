/** PersistentVolumeClaims, and Podman's annotations that say what is behind one. */
import type { ClaimSpec } from '../../model.ts'
import type { Field } from '../yaml/index.ts'
import { didYouMean, quote, textProblem, tidyPath } from '../yaml/index.ts'

const PREFIX = 'volume.podman.io/'
/** Ids are 32 bits, and the last one means "unchanged" to the kernel. */
const MAX_ID = 4_294_967_294
const TYPE = /^[a-z0-9][a-z0-9._-]{0,31}$/

/** A claim: only its name, labels and annotations mean something on one host. `annotations` has those of flags too. */
export function readClaim(document: Field, annotations: Record<string, string>, baseDirectory: string): ClaimSpec {
  const metadata = document.at('metadata')
  judgeVolumeAnnotations(metadata, annotations)
  const source = annotations[`${PREFIX}import-source`] ?? ''
  return {
    name: metadata.at('name').string() ?? '',
    labels: metadata.at('labels').stringMap(),
    annotations,
    ...(source !== '' && { importSource: tidyPath(source.startsWith('/') ? source : `${baseDirectory}/${source}`) }),
  }
}

type Judge = (value: Field, text: string, all: Record<string, string>) => void

/** What is wrong with each of Podman's annotations of volumes. */
const JUDGES: Record<string, Judge> = {
  driver: (value, text) => {
    const remedy = text === 'image' ? 'use an image volume' : 'use local: drivers are programs of Podman'
    if (text !== '' && text !== 'local') value.issue('UNSUPPORTED_VALUE', `${quote(text)} is not possible here`, remedy)
  },
  image: value => {
    const why = `the annotation ${quote(`${PREFIX}image`)} is not supported: what pods wrote would be in a layer of the image store`
    value.issueAt(value.key, 'NOT_SUPPORTED', why, 'use an image volume, or import-source')
  },
  uid: (value, text) => judgeId(value, text, 'user'),
  gid: (value, text) => judgeId(value, text, 'group'),
  device: judgeWord,
  type: (value, text, all) => {
    if (text.startsWith('fuse'))
      value.issue(
        'UNSUPPORTED_VALUE',
        `${quote(text)} is not possible here: to mount it, a program would run that the manifest names`,
        'mount it on the host and use hostPath',
      )
    else if (!TYPE.test(text)) value.issue('INVALID_VALUE', `${quote(text)} is not a type of file systems`)
    needsDevice(value, all)
  },
  'mount-options': (value, text, all) => {
    judgeWord(value, text)
    needsDevice(value, all)
  },
  'import-source': (value, text, all) => {
    judgeWord(value, text)
    if (/^[a-z]+:\/\//.test(text))
      value.issue('UNSUPPORTED_VALUE', `${quote(text)} is not a file of this host`, 'download it first')
    if (Object.hasOwn(all, `${PREFIX}device`))
      value.issueAt(
        value.key,
        'FORBIDDEN',
        'may not be set along with a device',
        'unpack it there by an init container',
      )
  },
}

/**
 * Complains of those of Podman's annotations of volumes that cannot be honoured, and of unknown ones. `ofClaim` are all
 * of a document of its own, with those of flags; a template that makes a claim for each pod has only what is written.
 */
export function judgeVolumeAnnotations(metadata: Field, ofClaim?: Record<string, string>): void {
  const written = metadata.at('annotations')
  const all = ofClaim ?? written.stringMap()
  for (const [key, text] of Object.entries(all)) {
    if (!key.startsWith(PREFIX)) continue
    const name = key.slice(PREFIX.length)
    const entry = written.entry(key)
    const value = entry.present ? entry : metadata
    const judge = Object.hasOwn(JUDGES, name) ? JUDGES[name] : undefined
    if (name === 'import-source' && ofClaim === undefined)
      value.issueAt(value.key, 'FORBIDDEN', 'only a PersistentVolumeClaim is filled, not a template', 'write one')
    else if (judge !== undefined) judge(value, text, all)
    else {
      const remedy = didYouMean(name, Object.keys(JUDGES)) ?? 'remove it'
      value.issueAt(value.key, 'UNKNOWN_FIELD', `no annotation of Podman's volumes is called ${quote(key)}`, remedy)
    }
  }
}

function judgeId(value: Field, text: string, whose: string): void {
  if (!/^\d{1,10}$/.test(text) || Number(text) > MAX_ID)
    value.issue('INVALID_VALUE', `${quote(text)} is not the number of a ${whose}`)
}

/** A word for the command line of a program. */
function judgeWord(value: Field, text: string): void {
  const option = text.startsWith('-') ? 'must not begin with "-"' : undefined
  const problem = text === '' ? 'must not be empty' : (option ?? textProblem(text))
  if (problem !== undefined) value.issue('INVALID_VALUE', `${quote(text)} ${problem}`)
}

function needsDevice(value: Field, all: Record<string, string>): void {
  const device = `${PREFIX}device`
  if (!Object.hasOwn(all, device))
    value.issueAt(value.key, 'REQUIRED', `it says how a device is mounted, and there is none`, `add ${device}`)
}
