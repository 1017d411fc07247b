/** The names of a manifest, for taking down what it made. */
import { TspodError } from '../errors.ts'
import type { WorkloadName } from '../model.ts'
import { readKinds } from './documents.ts'
import { type ClaimPrefix, claimPrefixes, isReplicated, podNames } from './workload/index.ts'
import { collecting, type Field, Issues, Notes, renderIssues, SourceFile } from './yaml/index.ts'

/** `podClaims`: claims and other volumes that pods refer to, which `kube down --force` removes too. */
export type ObjectNames = {
  pods: string[]
  /** Whatever pods they have made, of whatever names. */
  workloads: WorkloadName[]
  secrets: string[]
  claims: string[]
  podClaims: string[]
  /** Claims that StatefulSets made for their pods. */
  claimsOf: ClaimPrefix[]
  configMaps: string[]
}

/**
 * The objects that the sources name. Lenient, so that a manifest that no longer translates can still be taken down;
 * throws MANIFEST_UNREADABLE only when the YAML itself cannot be read.
 */
export function namesIn(sources: readonly { file: string; text: string }[]): ObjectNames {
  const issues = new Issues()
  const files = sources.map(({ file, text }) => new SourceFile(file, text))
  const names: ObjectNames = {
    pods: [],
    workloads: [],
    secrets: [],
    claims: [],
    podClaims: [],
    claimsOf: [],
    configMaps: [],
  }
  for (const { kind, field } of collecting(issues, () => readKinds(files, issues, new Notes()))) {
    const name = field.at('metadata').at('name').string()
    if (name !== undefined && name !== '') collect(names, kind, name, field)
  }
  const broken = issues.list.filter(issue => issue.code !== 'DUPLICATE_KEY')
  if (broken.length > 0) {
    throw new TspodError('MANIFEST_UNREADABLE', `cannot read ${broken[0]?.source.file ?? 'the manifest'}`, {
      remedy: 'correct the YAML, or remove the pods by name',
      details: renderIssues(broken, files),
    })
  }
  return { ...names, podClaims: [...new Set(names.podClaims)] }
}

function collect(names: ObjectNames, kind: string, name: string, field: Field): void {
  if (isReplicated(kind)) {
    names.workloads.push({ kind, name })
    names.pods.push(...podNames(field))
    names.claimsOf.push(...claimPrefixes(field, name))
    names.podClaims.push(...claimsOf(field.at('spec').at('template').at('spec')))
    return
  }
  switch (kind) {
    case 'Pod':
      names.pods.push(name)
      names.podClaims.push(...claimsOf(field.at('spec')))
      return
    case 'Secret':
      names.secrets.push(name)
      return
    case 'PersistentVolumeClaim':
      names.claims.push(name)
      return
    case 'ConfigMap':
      names.configMaps.push(name)
      return
  }
}

function claimsOf(spec: Field): string[] {
  return spec
    .at('volumes')
    .items()
    .flatMap(volume => volume.at('persistentVolumeClaim').at('claimName').string() ?? [])
}
