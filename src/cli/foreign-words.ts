/** Words of kubectl, podman and docker that are other ones here: whoever types them is told which. Pure. */

/** What somebody has typed → what it is called here, the longest match first. */
export const HERE: Readonly<Record<string, string>> = {
  'get all': 'tspod pod ps',
  'get configmaps': 'tspod kube generate POD, which has them',
  'get deployments': 'tspod apps',
  'get events': 'tspod events --since 1h --stream=false',
  'get jobs': 'tspod pod ps',
  'get nodes': 'tspod info',
  'get pods': 'tspod pod ps',
  'get pvc': 'tspod volume ls',
  'get secrets': 'tspod secret ls',
  'get services': 'tspod ps',
  get: 'tspod pod ps, tspod ps, tspod volume ls, tspod secret ls or tspod apps',
  'describe pod': 'tspod pod inspect POD, and tspod events',
  describe: 'tspod inspect NAME',
  'create secret': 'tspod kube play FILE, with a manifest of kind Secret',
  'create configmap': 'tspod kube play FILE, with its manifest before those that use it',
  create: 'tspod kube play FILE, or tspod apply -f FILE',
  'delete pod': 'tspod pod rm -f POD',
  delete: 'tspod kube down FILE, tspod down APP or tspod pod rm -f POD',
  edit: 'an edit of the manifest and tspod apply -f FILE',
  patch: 'an edit of the manifest and tspod apply -f FILE',
  scale: 'an edit of `replicas` and tspod apply -f FILE',
  'rollout restart': 'tspod pod restart POD',
  'rollout status': 'tspod apply --wait -f FILE, or tspod gitops status',
  'rollout undo': 'tspod gitops rollback NAME, or tspod apply -f with the old FILE',
  rollout: 'tspod apply --wait -f FILE',
  'port-forward': '`hostPort` in the manifest, or tspod kube play --publish',
  debug: 'tspod exec -it POD/CONTAINER sh',
  cluster: 'tspod info',
  'cluster-info': 'tspod info',
  config: 'files below /etc/tspod, and tspod info',
  run: 'a manifest and tspod kube play FILE',
  build: 'buildah build, or tspod kube play --build',
  push: 'skopeo copy containers-storage:IMAGE docker://IMAGE',
  login: 'skopeo login REGISTRY, whose file is read here, or --authfile',
  logout: 'skopeo logout REGISTRY',
  load: 'skopeo copy docker-archive:FILE containers-storage:NAME',
  save: 'skopeo copy containers-storage:NAME docker-archive:FILE',
  compose: 'a manifest and tspod kube play FILE',
  'secret create': 'tspod kube play FILE, with a manifest of kind Secret',
  quadlet: 'tspod systemd import FILE.kube',
  'generate systemd': 'tspod systemd enable FILE',
  'auto-update': 'tspod gitops reconcile NAME, or tspod apply -f FILE with imagePullPolicy: Always',
  healthcheck: 'probes in the manifest, and tspod ps',
}

/** Other names of the same, as kubectl and podman have them. */
const ALIASES: Readonly<Record<string, string>> = {
  po: 'pods',
  pod: 'pods',
  deploy: 'deployments',
  deployment: 'deployments',
  svc: 'services',
  service: 'services',
  secret: 'secrets',
  cm: 'configmaps',
  configmap: 'configmaps',
  persistentvolumeclaims: 'pvc',
  volumes: 'pvc',
  job: 'jobs',
  node: 'nodes',
  no: 'nodes',
  ev: 'events',
  event: 'events',
}

/** What these words are called here; undefined for words that nobody has elsewhere either. */
export function calledHere(words: readonly string[]): string | undefined {
  const [first = '', second = ''] = words
  const kind = second.replace(/\/.*/, '')
  const spellings = first === 'get' ? [`get ${ALIASES[kind] ?? kind}`] : [`${first} ${kind}`]
  const found = [...spellings, first].find(spelling => Object.hasOwn(HERE, spelling))
  return found === undefined ? undefined : HERE[found]
}
