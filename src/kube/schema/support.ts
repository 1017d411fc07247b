/**
 * What tspod does with each field of the Kubernetes API: the one table that decides it, and that the documentation
 * is made from. A field that is neither honoured nor accepted is refused; nothing is ignored in silence.
 */

export type Verdicts = {
  /** Names of fields that do what Kubernetes says. */
  honoured?: string
  /** Fields that have no effect on a single host, each with the reason. */
  accepted?: Record<string, string>
  /** Fields that would have an effect and have none yet, with what to do instead. */
  refused?: Record<string, string>
  /** Fields that are translated and kept, and do nothing yet: refused without --allow-unsupported. */
  later?: Record<string, string>
}

const BOOKKEEPING = 'kept by an API server, and there is none'
const ONE_NODE = 'there is only one node'
const NO_TOKEN = 'there is no API server to have an account at'
const STATUS = 'it is reported, not read'
const NOT_YET = 'remove it'
const NO_SUCH_STORAGE = 'use persistentVolumeClaim, hostPath or emptyDir'
const MOUNT_ON_HOST = 'mount it on the host and use hostPath'
const NO_SERVICE_ADDRESS = 'a Service has no address here: its name leads to its pods'
const CLIENTS_CHOOSE = 'clients choose among the addresses of a name'
const NO_BALANCER = 'there is no load balancer'
const OWN_PODS = 'a Job knows the pods that it has made'
const BY_APPLY = 'pods are replaced by whoever applies the manifest, not by a controller'
const NO_REVISIONS = 'earlier revisions are kept by GitOps sources, and by nobody else'
const NO_SURGE = 'a new pod has the name of the one that it replaces: there is never one more'
const CLAIM = 'a claim is a directory of this host'

export const TABLE: Record<string, Verdicts> = {
  Pod: { honoured: 'apiVersion kind metadata spec', accepted: { status: STATUS } },
  Deployment: { honoured: 'apiVersion kind metadata spec', accepted: { status: STATUS } },
  ReplicaSet: { honoured: 'apiVersion kind metadata spec', accepted: { status: STATUS } },
  ReplicationController: { honoured: 'apiVersion kind metadata spec', accepted: { status: STATUS } },
  DaemonSet: { honoured: 'apiVersion kind metadata spec', accepted: { status: STATUS } },
  StatefulSet: { honoured: 'apiVersion kind metadata spec', accepted: { status: STATUS } },
  ConfigMap: {
    honoured: 'apiVersion kind metadata data binaryData',
    accepted: { immutable: 'each play reads the ConfigMap anew' },
  },
  Secret: { honoured: 'apiVersion kind metadata data stringData type immutable' },
  PersistentVolumeClaim: { honoured: 'apiVersion kind metadata', accepted: { spec: CLAIM, status: STATUS } },
  ObjectMeta: {
    honoured: 'name namespace labels annotations',
    accepted: {
      creationTimestamp: BOOKKEEPING,
      deletionGracePeriodSeconds: BOOKKEEPING,
      deletionTimestamp: BOOKKEEPING,
      finalizers: BOOKKEEPING,
      generation: BOOKKEEPING,
      managedFields: BOOKKEEPING,
      ownerReferences: BOOKKEEPING,
      resourceVersion: BOOKKEEPING,
      selfLink: BOOKKEEPING,
      uid: 'tspod chooses the id of a pod',
    },
    refused: { generateName: 'give the object a name' },
  },
  DeploymentSpec: {
    honoured: 'minReadySeconds progressDeadlineSeconds replicas selector strategy template',
    accepted: { paused: BY_APPLY, revisionHistoryLimit: NO_REVISIONS },
  },
  DeploymentStrategy: { honoured: 'type rollingUpdate' },
  RollingUpdateDeployment: { honoured: 'maxUnavailable', accepted: { maxSurge: NO_SURGE } },
  ReplicaSetSpec: { honoured: 'minReadySeconds replicas selector template' },
  ReplicationControllerSpec: { honoured: 'minReadySeconds replicas selector template' },
  DaemonSetSpec: {
    honoured: 'minReadySeconds selector template updateStrategy',
    accepted: { revisionHistoryLimit: NO_REVISIONS },
  },
  DaemonSetUpdateStrategy: { honoured: 'type', accepted: { rollingUpdate: ONE_NODE } },
  StatefulSetSpec: {
    honoured:
      'minReadySeconds replicas selector template serviceName podManagementPolicy volumeClaimTemplates ordinals ' +
      'persistentVolumeClaimRetentionPolicy updateStrategy',
    accepted: { revisionHistoryLimit: NO_REVISIONS },
  },
  StatefulSetUpdateStrategy: { honoured: 'type rollingUpdate' },
  RollingUpdateStatefulSetStrategy: { honoured: 'maxUnavailable partition' },
  StatefulSetOrdinals: { honoured: 'start' },
  StatefulSetPersistentVolumeClaimRetentionPolicy: { honoured: 'whenDeleted whenScaled' },
  Service: { honoured: 'apiVersion kind metadata spec', accepted: { status: STATUS } },
  ServiceSpec: {
    honoured: 'type selector ports clusterIP',
    accepted: {
      allocateLoadBalancerNodePorts: NO_BALANCER,
      clusterIPs: NO_SERVICE_ADDRESS,
      externalIPs: NO_SERVICE_ADDRESS,
      externalTrafficPolicy: ONE_NODE,
      healthCheckNodePort: NO_BALANCER,
      internalTrafficPolicy: ONE_NODE,
      ipFamilies: NO_SERVICE_ADDRESS,
      ipFamilyPolicy: NO_SERVICE_ADDRESS,
      loadBalancerClass: NO_BALANCER,
      loadBalancerIP: NO_BALANCER,
      loadBalancerSourceRanges: NO_BALANCER,
      publishNotReadyAddresses: 'names lead to pods as soon as they have an address',
      sessionAffinity: CLIENTS_CHOOSE,
      sessionAffinityConfig: CLIENTS_CHOOSE,
      trafficDistribution: ONE_NODE,
    },
    refused: { externalName: 'use hostAliases' },
  },
  ServicePort: {
    honoured: 'name port protocol targetPort nodePort',
    accepted: { appProtocol: 'it is a hint for proxies' },
  },
  Job: { honoured: 'apiVersion kind metadata spec', accepted: { status: STATUS } },
  JobSpec: {
    honoured:
      'parallelism completions completionMode backoffLimit backoffLimitPerIndex maxFailedIndexes suspend template ' +
      'activeDeadlineSeconds ttlSecondsAfterFinished podFailurePolicy successPolicy managedBy',
    accepted: {
      manualSelector: OWN_PODS,
      podReplacementPolicy: 'a pod is replaced when it has ended, and not before',
      selector: OWN_PODS,
    },
  },
  PodFailurePolicy: { honoured: 'rules' },
  PodFailurePolicyRule: { honoured: 'action onExitCodes onPodConditions' },
  PodFailurePolicyOnExitCodesRequirement: { honoured: 'containerName operator values' },
  PodFailurePolicyOnPodConditionsPattern: { honoured: 'type status' },
  SuccessPolicy: { honoured: 'rules' },
  SuccessPolicyRule: { honoured: 'succeededIndexes succeededCount' },
  CronJob: { honoured: 'apiVersion kind metadata spec', accepted: { status: STATUS } },
  CronJobSpec: {
    honoured:
      'schedule timeZone concurrencyPolicy startingDeadlineSeconds successfulJobsHistoryLimit failedJobsHistoryLimit ' +
      'suspend jobTemplate',
  },
  JobTemplateSpec: { honoured: 'metadata spec' },
  LabelSelector: { honoured: 'matchLabels matchExpressions' },
  LabelSelectorRequirement: { honoured: 'key operator values' },
  PodTemplateSpec: { honoured: 'metadata spec' },
  PodSpec: {
    honoured:
      'containers initContainers volumes restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds ' +
      'hostNetwork hostPID hostIPC hostUsers shareProcessNamespace hostname hostnameOverride subdomain setHostnameAsFQDN hostAliases dnsPolicy ' +
      'dnsConfig securityContext os enableServiceLinks resources runtimeClassName ' +
      'imagePullSecrets',
    accepted: {
      affinity: ONE_NODE,
      automountServiceAccountToken: NO_TOKEN,
      nodeName: ONE_NODE,
      nodeSelector: ONE_NODE,
      overhead: ONE_NODE,
      preemptionPolicy: ONE_NODE,
      priority: ONE_NODE,
      priorityClassName: ONE_NODE,
      readinessGates: BOOKKEEPING,
      schedulerName: ONE_NODE,
      schedulingGates: ONE_NODE,
      schedulingGroup: ONE_NODE,
      serviceAccount: NO_TOKEN,
      serviceAccountName: `${NO_TOKEN}; only fieldRef sees the name`,
      tolerations: ONE_NODE,
      topologySpreadConstraints: ONE_NODE,
    },
    refused: {
      ephemeralContainers: 'use `tspod exec` to look into a container',
      resourceClaims: NOT_YET,
    },
  },
  PodOS: { honoured: 'name' },
  HostAlias: { honoured: 'ip hostnames' },
  PodDNSConfig: { honoured: 'nameservers searches options' },
  PodDNSConfigOption: { honoured: 'name value' },
  PodSecurityContext: {
    honoured:
      'runAsUser runAsGroup runAsNonRoot fsGroup supplementalGroups seccompProfile sysctls ' +
      'supplementalGroupsPolicy appArmorProfile seLinuxOptions',
    accepted: {
      fsGroupChangePolicy: 'the owner of a volume is checked at every start',
      seLinuxChangePolicy: 'volumes are not relabelled',
    },
    refused: {
      windowsOptions: 'every pod runs on Linux: remove it',
    },
  },
  Sysctl: { honoured: 'name value' },
  AppArmorProfile: { honoured: 'type localhostProfile' },
  SELinuxOptions: { honoured: 'user role type level' },
  LocalObjectReference: { honoured: 'name' },
  SeccompProfile: { honoured: 'type localhostProfile' },
  Container: {
    honoured:
      'name image imagePullPolicy command args workingDir env envFrom ports resources securityContext volumeMounts ' +
      'tty stdin stdinOnce terminationMessagePath terminationMessagePolicy restartPolicy restartPolicyRules ' +
      'lifecycle livenessProbe readinessProbe startupProbe',
    accepted: { resizePolicy: 'a container is not resized while it runs' },
    refused: {
      volumeDevices: 'use a hostPath volume',
    },
  },
  ContainerRestartRule: { honoured: 'action exitCodes' },
  ContainerRestartRuleOnExitCodes: { honoured: 'operator values' },
  Lifecycle: { honoured: 'postStart preStop stopSignal' },
  LifecycleHandler: {
    honoured: 'exec httpGet sleep',
    refused: { tcpSocket: 'use exec: a hook cannot be a tcpSocket, it would always fail' },
  },
  Probe: {
    honoured:
      'exec httpGet tcpSocket grpc initialDelaySeconds periodSeconds timeoutSeconds successThreshold ' +
      'failureThreshold terminationGracePeriodSeconds',
  },
  ExecAction: { honoured: 'command' },
  HTTPGetAction: { honoured: 'host port path scheme httpHeaders' },
  HTTPHeader: { honoured: 'name value' },
  TCPSocketAction: { honoured: 'host port' },
  GRPCAction: { honoured: 'port service' },
  SleepAction: { honoured: 'seconds' },
  ContainerPort: { honoured: 'containerPort hostPort hostIP name protocol' },
  EnvVar: { honoured: 'name value valueFrom' },
  EnvVarSource: {
    honoured: 'configMapKeyRef secretKeyRef fieldRef resourceFieldRef fileKeyRef',
  },
  FileKeySelector: { honoured: 'volumeName path key optional' },
  ConfigMapKeySelector: { honoured: 'name key optional' },
  SecretKeySelector: { honoured: 'name key optional' },
  ObjectFieldSelector: { honoured: 'apiVersion fieldPath' },
  ResourceFieldSelector: { honoured: 'containerName resource divisor' },
  EnvFromSource: { honoured: 'configMapRef secretRef prefix' },
  ConfigMapEnvSource: { honoured: 'name optional' },
  SecretEnvSource: { honoured: 'name optional' },
  ResourceRequirements: { honoured: 'limits requests', refused: { claims: NOT_YET } },
  SecurityContext: {
    honoured:
      'runAsUser runAsGroup runAsNonRoot privileged capabilities readOnlyRootFilesystem allowPrivilegeEscalation ' +
      'seccompProfile procMount appArmorProfile seLinuxOptions',
    refused: {
      windowsOptions: 'every pod runs on Linux: remove it',
    },
  },
  Capabilities: { honoured: 'add drop' },
  VolumeMount: {
    honoured: 'name mountPath readOnly recursiveReadOnly subPath subPathExpr mountPropagation',
  },
  Volume: {
    honoured: 'name hostPath emptyDir configMap secret downwardAPI projected image persistentVolumeClaim ephemeral',
    refused: {
      awsElasticBlockStore: NO_SUCH_STORAGE,
      azureDisk: NO_SUCH_STORAGE,
      azureFile: MOUNT_ON_HOST,
      cephfs: MOUNT_ON_HOST,
      cinder: NO_SUCH_STORAGE,
      csi: NO_SUCH_STORAGE,
      fc: MOUNT_ON_HOST,
      flexVolume: NO_SUCH_STORAGE,
      flocker: NO_SUCH_STORAGE,
      gcePersistentDisk: NO_SUCH_STORAGE,
      gitRepo: 'clone into an emptyDir by an init container',
      glusterfs: MOUNT_ON_HOST,
      iscsi: MOUNT_ON_HOST,
      nfs: MOUNT_ON_HOST,
      photonPersistentDisk: NO_SUCH_STORAGE,
      portworxVolume: NO_SUCH_STORAGE,
      quobyte: NO_SUCH_STORAGE,
      rbd: MOUNT_ON_HOST,
      scaleIO: NO_SUCH_STORAGE,
      storageos: NO_SUCH_STORAGE,
      vsphereVolume: NO_SUCH_STORAGE,
    },
  },
  HostPathVolumeSource: { honoured: 'path type' },
  EmptyDirVolumeSource: { honoured: 'medium sizeLimit mode' },
  ConfigMapVolumeSource: { honoured: 'name items defaultMode optional' },
  SecretVolumeSource: { honoured: 'secretName items defaultMode optional' },
  DownwardAPIVolumeSource: { honoured: 'items defaultMode' },
  DownwardAPIVolumeFile: { honoured: 'path mode fieldRef resourceFieldRef' },
  ProjectedVolumeSource: { honoured: 'sources defaultMode' },
  VolumeProjection: {
    honoured: 'configMap secret downwardAPI',
    refused: {
      clusterTrustBundle: 'put the certificates into a ConfigMap',
      podCertificate: 'put the certificate and its key into a Secret',
      serviceAccountToken: 'put the token into a Secret: there is no API server that could sign one',
    },
  },
  ConfigMapProjection: { honoured: 'name items optional' },
  SecretProjection: { honoured: 'name items optional' },
  DownwardAPIProjection: { honoured: 'items' },
  ImageVolumeSource: { honoured: 'reference pullPolicy' },
  EphemeralVolumeSource: { honoured: 'volumeClaimTemplate' },
  PersistentVolumeClaimTemplate: { honoured: 'metadata', accepted: { spec: CLAIM } },
  KeyToPath: { honoured: 'key path mode' },
  PersistentVolumeClaimVolumeSource: { honoured: 'claimName readOnly' },
}

/** Values that ask for what happens anyway: they are neither refused nor noted. */
export const HARMLESS: Record<string, string> = {
  'DeploymentSpec.paused': 'false',
  'RollingUpdateDeployment.maxSurge': '0',
  'PodSpec.automountServiceAccountToken': 'false',
  'ServiceSpec.sessionAffinity': 'None',
  'JobSpec.podReplacementPolicy': 'Failed',
  'JobSpec.manualSelector': 'false',
  'PodSpec.schedulerName': 'default-scheduler',
}

/** Kinds that are played; every other kind of Kubernetes is refused by name. */
export const PLAYED_KINDS: Record<string, string> = {
  Pod: 'v1',
  Deployment: 'apps/v1',
  ReplicaSet: 'apps/v1',
  ReplicationController: 'v1',
  DaemonSet: 'apps/v1',
  StatefulSet: 'apps/v1',
  Job: 'batch/v1',
  CronJob: 'batch/v1',
  ConfigMap: 'v1',
  Secret: 'v1',
  PersistentVolumeClaim: 'v1',
  Service: 'v1',
  List: 'v1',
}

/** Kinds that are accepted and do nothing here. */
export const NOTED_KINDS: Record<string, string> = {
  Namespace: 'pods of all namespaces share the names of this host',
  ServiceAccount: NO_TOKEN,
}
