/**
 * What the containers of the manifests beside this file see, and which fields of the Kubernetes API that shows. The
 * table is read twice: played by fields.test.ts, and asked by test/unit/kube/shown.test.ts whether a field is missing.
 */

/** One look: `where` is a container, or the host; `prints` is all of its output. */
export type Look = { shows: string; where: string; run: string; prints: string | RegExp }

const CAP = 'grep -E "^(CapBnd|CapEff|NoNewPrivs|Seccomp):" /proc/self/status | tr -s "\\t\\n" " "'
const MODES = 'stat -Lc "%a %n"'
const told = (name: string): string =>
  `for i in $(seq 100); do tspod inspect --format '{{.State.Status}}' ends-${name} | grep -q exited && break; sleep 0.1; done
   tspod inspect --format '{{.State.ExitCode}}' ends-${name}; tspod ps -a --format json | tr -d '\\n' | grep -o '"name": *"ends-${name}".*' | grep -o '"message": *"[^"]*"' | head -1`
const job = (name: string): string =>
  `of() { tspod pod inspect ${name}-pod | tr -d ' \\n' | grep -o '"job":.*' | grep -oE '"(status|reason|succeeded|failed)":[^,}]*' | head -4; }
   for i in $(seq 100); do of | grep -q Running || break; sleep 0.1; done; of; tspod pod ps --format '{{.Name}}' | grep -c '^${name}-'`

/** What has to be there on the host before a manifest is played. */
export const BEFORE: Record<string, string> = {
  'volumes.yaml': 'mkdir /run/shared && mount -t tmpfs shared /run/shared && mount --make-shared /run/shared',
}

/** What `kube down` says in the end. */
export const DOWN: Record<string, Omit<Look, 'where' | 'run'>> = {
  'workloads.yaml': {
    shows:
      'StatefulSetSpec.persistentVolumeClaimRetentionPolicy StatefulSetPersistentVolumeClaimRetentionPolicy.whenDeleted',
    prints: /Volumes removed:\ndata-db-5\ndata-db-6\n/,
  },
}

export const LOOKS: Record<string, Look[]> = {
  'security.yaml': [
    {
      shows:
        'PodSpec.securityContext PodSecurityContext.runAsUser PodSecurityContext.runAsGroup PodSecurityContext.fsGroup PodSecurityContext.supplementalGroups',
      where: 'ids-of-the-pod',
      run: 'id -u; id -g; id -G; stat -c "%g %a" /scratch',
      prints: '1000\n2000\n2000 3000 4000\n3000 2777\n',
    },
    {
      shows:
        'PodSecurityContext.seccompProfile SeccompProfile.type PodSecurityContext.sysctls Sysctl.name Sysctl.value',
      where: 'ids-of-the-pod',
      run: 'grep ^Seccomp: /proc/self/status; cat /proc/sys/net/ipv4/tcp_fin_timeout',
      prints: 'Seccomp:\t0\n33\n',
    },
    {
      shows: 'Container.securityContext SecurityContext.runAsUser SecurityContext.runAsGroup',
      where: 'ids-of-its-own',
      run: 'id -u; id -g; id -G',
      prints: '0\n2001\n2001 3000 4000\n',
    },
    {
      shows:
        'SecurityContext.capabilities Capabilities.add Capabilities.drop SecurityContext.allowPrivilegeEscalation SecurityContext.seccompProfile',
      where: 'ids-of-its-own',
      run: CAP,
      prints: 'CapEff: 0000000000001000 CapBnd: 0000000000001000 NoNewPrivs: 1 Seccomp: 2 ',
    },
    {
      shows: 'SecurityContext.readOnlyRootFilesystem',
      where: 'ids-of-its-own',
      run: 'touch /home/x 2>&1',
      prints: /Read-only file system/,
    },
    {
      shows: 'SecurityContext.privileged',
      where: 'ids-privileged',
      run: 'mkdir /m && mount -t tmpfs here /m && echo mounted',
      prints: 'mounted\n',
    },
    {
      shows: 'PodSecurityContext.supplementalGroupsPolicy PodSpec.hostUsers SecurityContext.procMount',
      where: 'groups-main',
      run: 'id -G; grep -c " 65536$" /proc/self/uid_map; grep -cE " /proc/(kcore|timer_list|sys|bus) " /proc/self/mountinfo',
      prints: '1000 4000\n1\n0\n',
    },
  ],
  'processes.yaml': [
    {
      shows:
        'Container.command Container.args Container.env EnvVar.name EnvVar.value Container.imagePullPolicy Container.image Container.name',
      where: 'words-main',
      run: 'tr "\\0" "\\n" < /proc/1/cmdline | tail -n 4',
      prints: 'blue\nhello blue\n$(COLOUR)\n$(NOBODY)\n',
    },
    { shows: 'Container.workingDir', where: 'words-main', run: 'readlink /proc/1/cwd', prints: '/home/app\n' },
    {
      shows: 'Container.tty Container.stdin',
      where: 'words-main',
      run: 'readlink /proc/1/fd/0',
      prints: /^\/dev\/pts\/\d+\n$/,
    },
    {
      shows:
        'Container.envFrom EnvFromSource.prefix EnvFromSource.configMapRef ConfigMapEnvSource.name ConfigMapEnvSource.optional EnvFromSource.secretRef SecretEnvSource.name SecretEnvSource.optional Secret.data Secret.stringData ConfigMap.data',
      where: 'words-main',
      run: 'env | grep -E "^(CFG_|username|password|x=|COLOUR|SIZE)" | sort',
      prints: 'CFG_COLOUR=blue\nCFG_SIZE=large\nCOLOUR=blue\npassword=s3cret\nusername=alice\n',
    },
    {
      shows:
        'EnvVar.valueFrom EnvVarSource.configMapKeyRef ConfigMapKeySelector.name ConfigMapKeySelector.key ConfigMapKeySelector.optional EnvVarSource.secretKeyRef SecretKeySelector.name SecretKeySelector.key SecretKeySelector.optional EnvVarSource.fieldRef ObjectFieldSelector.fieldPath EnvVarSource.resourceFieldRef ResourceFieldSelector.containerName ResourceFieldSelector.resource ResourceFieldSelector.divisor ObjectMeta.annotations',
      where: 'words-main',
      run: 'env | grep -E "^(COLOUR|PASSWORD|POD|NOTE|MILLIS|NO_)" | sort',
      prints: 'COLOUR=blue\nMILLIS=300\nNOTE=a text with blanks\nPASSWORD=s3cret\nPOD=words\n',
    },
    {
      shows: 'Container.resources ResourceRequirements.limits ResourceRequirements.requests',
      where: 'words-main',
      run: 'cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpu/cpu.shares memory/memory.limit_in_bytes pids/pids.max',
      prints: `30000\n256\n${64 << 20}\n50\n`,
    },
    {
      shows: 'PodSpec.resources',
      where: 'host',
      run: "cat /sys/fs/cgroup/memory$(tspod pod inspect words --format '{{.CgroupPath}}')/memory.limit_in_bytes",
      prints: `${128 << 20}\n`,
    },
    {
      shows: 'PodSpec.initContainers Container.restartPolicy PodSpec.containers PodSpec.restartPolicy',
      where: 'host',
      run: "tspod ps -a --filter pod=words --format '{{.Names}} {{.State}}' | sort; tspod exec words-main ls /shared",
      prints: /words-main running\n(words-first exited\n)?words-sidecar running\nfirst\nsidecar\n$/,
    },
    {
      shows:
        'Container.ports ContainerPort.containerPort ContainerPort.hostPort ContainerPort.hostIP ContainerPort.protocol ContainerPort.name',
      where: 'host',
      run: 'tspod port words-main',
      prints: '8080/tcp -> 127.0.0.1:18087\n',
    },
    {
      shows: 'Container.lifecycle Lifecycle.stopSignal PodSpec.terminationGracePeriodSeconds',
      where: 'host',
      run: "tspod stop words-main >/dev/null; tspod inspect --format '{{.State.ExitCode}}' words-main",
      prints: '9\n',
    },
    {
      shows: 'Container.terminationMessagePath',
      where: 'host',
      run: told('told'),
      prints: '3\n"message": "written"\n',
    },
    {
      shows: 'Container.terminationMessagePolicy',
      where: 'host',
      run: told('printed'),
      prints: /^4\n"message": "line 12[12]\\n(line \d+\\n)+line 200\\nend"\n$/,
    },
    {
      shows: 'Container.terminationMessagePolicy',
      where: 'host',
      run: told('preferred'),
      prints: '5\n"message": "written"\n',
    },
    {
      shows: 'Container.terminationMessagePolicy',
      where: 'host',
      run: told('succeeded'),
      prints: '0\n"message": ""\n',
    },
    {
      shows: 'Container.terminationMessagePath',
      where: 'host',
      run: told('talkative'),
      prints: /^6\n"message": "\d*\\n(\d{4}\\n)+the end"\n$/,
    },
    {
      shows: 'Secret.immutable',
      where: 'host',
      run: `echo '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"username": "Ym9i"}}' | tspod kube play - 2>&1`,
      prints: /immutable/,
    },
  ],
  'volumes.yaml': [
    {
      shows:
        'Volume.configMap ConfigMapVolumeSource.name ConfigMapVolumeSource.items ConfigMapVolumeSource.defaultMode KeyToPath.key KeyToPath.path KeyToPath.mode ConfigMap.binaryData ConfigMap.data',
      where: 'files-main',
      run: `cd /config; ${MODES} deep/app.conf blob; cat deep/app.conf; od -An -tx1 blob; ls`,
      prints: '440 deep/app.conf\n600 blob\none 00 01 02 ff\nblob\ndeep\n',
    },
    {
      shows: 'Volume.secret SecretVolumeSource.secretName SecretVolumeSource.items SecretVolumeSource.defaultMode',
      where: 'files-main',
      run: `cd /secret; ${MODES} deep/token; cat deep/token; echo; ls; grep -c " /secret .* tmpfs " /proc/self/mountinfo`,
      prints: '440 deep/token\ns3cret\ndeep\n1\n',
    },
    {
      shows: 'ConfigMapVolumeSource.optional SecretVolumeSource.optional',
      where: 'files-main',
      run: 'ls /no-config /no-secret',
      prints: '/no-config:\n\n/no-secret:\n',
    },
    {
      shows:
        'Volume.downwardAPI DownwardAPIVolumeSource.items DownwardAPIVolumeSource.defaultMode DownwardAPIVolumeFile.path DownwardAPIVolumeFile.mode DownwardAPIVolumeFile.fieldRef DownwardAPIVolumeFile.resourceFieldRef ObjectMeta.labels',
      where: 'files-main',
      run: `cd /self; ${MODES} labels millis; cat labels millis`,
      prints: '444 labels\n400 millis\napp="files"300',
    },
    {
      shows:
        'Volume.projected ProjectedVolumeSource.sources ProjectedVolumeSource.defaultMode VolumeProjection.configMap ConfigMapProjection.name ConfigMapProjection.items ConfigMapProjection.optional VolumeProjection.secret SecretProjection.name SecretProjection.items SecretProjection.optional VolumeProjection.downwardAPI DownwardAPIProjection.items ObjectMeta.namespace',
      where: 'files-main',
      run: `cd /all; ${MODES} conf/other.conf token namespace; cat conf/other.conf token namespace`,
      prints: '440 conf/other.conf\n404 token\n404 namespace\ntwos3cretshop',
    },
    {
      shows: 'Volume.emptyDir EmptyDirVolumeSource.medium EmptyDirVolumeSource.sizeLimit',
      where: 'files-main',
      run: 'df -k /memory | tail -n 1 | tr -s " " | cut -d " " -f 1,2; stat -c %a /memory',
      prints: 'tmpfs 2048\n777\n',
    },
    {
      shows: 'EmptyDirVolumeSource.mode',
      where: 'files-main',
      run: 'stat -c %a /tmp /sticky-memory',
      prints: '1777\n1755\n',
    },
    {
      shows:
        'Volume.persistentVolumeClaim PersistentVolumeClaimVolumeSource.claimName PersistentVolumeClaimVolumeSource.readOnly VolumeMount.subPath VolumeMount.subPathExpr VolumeMount.name VolumeMount.mountPath Container.volumeMounts PodSpec.volumes Volume.name',
      where: 'files-main',
      run: 'touch /claim/x /part/y /expanded/z; cd /claim-to-read; find . -type f | sort; touch new 2>&1',
      prints: /^\.\/deep\/part\/y\n\.\/over\/there\/z\n\.\/x\n.*Read-only/,
    },
    {
      shows: 'Volume.ephemeral EphemeralVolumeSource.volumeClaimTemplate PersistentVolumeClaimTemplate.metadata',
      where: 'host',
      run: 'tspod exec files-main touch /own/x; ls /var/lib/tspod/volumes/files-own/_data',
      prints: 'x\n',
    },
    {
      shows: 'Volume.image ImageVolumeSource.reference ImageVolumeSource.pullPolicy',
      where: 'files-main',
      run: 'ls /tools/bin | grep -x sh; touch /tools/x 2>&1',
      prints: /^sh\n.*Read-only/,
    },
    // S23
    {
      shows: 'Volume.hostPath HostPathVolumeSource.path HostPathVolumeSource.type VolumeMount.mountPropagation',
      where: 'host',
      run: `for i in $(seq 50); do [ -e /run/shared/made/here ] && break; sleep 0.1; done; ls /run/shared/made
        tspod exec files-main ls /host/made; mkdir -p /run/shared/late; mount -t tmpfs late /run/shared/late; touch /run/shared/late/seen
        tspod exec files-main ls /host/late /host-alone/late; tspod exec files-main stat -c %a /new; stat -c %a /run/fields/new`,
      prints: 'here\nhere\n/host-alone/late:\n\n/host/late:\nseen\n755\n755\n',
    },
    {
      shows: 'VolumeMount.readOnly VolumeMount.recursiveReadOnly',
      where: 'host',
      run: `tspod container restart files-main >/dev/null
        for d in host-to-read host-to-read-all host-to-read-all/late; do tspod exec files-main touch /$d/x 2>&1; done
        umount /run/shared/late /run/shared/made`,
      prints:
        /host-to-read\/x: Read-only file system\n.*-all\/x: Read-only file system\n.*late\/x: Read-only file system\n/,
    },
  ],
  'names.yaml': [
    {
      shows:
        'PodSpec.hostname PodSpec.subdomain PodSpec.setHostnameAsFQDN PodSpec.hostAliases HostAlias.ip HostAlias.hostnames',
      where: 'front-main',
      run: 'hostname; tail -n 4 /etc/hosts',
      prints:
        /^one\.pages\.default\.svc\.cluster\.local\n[\d.]+\tone\.pages\.default\.svc\.cluster\.local\tone\n\n#.*\n192\.0\.2\.7\tdb\tdb\.example\.com\n$/,
    },
    {
      shows:
        'PodSpec.dnsConfig PodDNSConfig.searches PodDNSConfig.options PodDNSConfigOption.name PodDNSConfigOption.value',
      where: 'front-main',
      run: 'grep -E "^(search|options)" /etc/resolv.conf',
      prints: /^search .*example\.com\noptions .*ndots:3.* edns0\n$/,
    },
    {
      shows: 'PodSpec.dnsPolicy PodDNSConfig.nameservers PodSpec.hostnameOverride',
      where: 'back-main',
      run: 'cat /etc/resolv.conf; hostname',
      prints: 'search only.example\nnameserver 192.0.2.53\nthe.whole.name\n',
    },
    {
      shows: 'PodSpec.shareProcessNamespace PodSpec.enableServiceLinks',
      where: 'back-main',
      run: 'ps | grep -c "sleep 10000[01]$"; env | grep -c SHOP',
      prints: '2\n0\n',
    },
    {
      shows: 'PodSpec.runtimeClassName',
      where: 'host',
      run: "tspod inspect --format '{{.OCIRuntime}}' back-main",
      prints: 'runc\n',
    },
    {
      shows: 'PodSpec.hostNetwork PodSpec.hostPID PodSpec.hostIPC',
      where: 'host',
      run: `for n in net pid ipc; do [ $(readlink /proc/self/ns/$n) = $(tspod exec host-main readlink /proc/self/ns/$n) ] && echo $n; done`,
      prints: 'net\npid\nipc\n',
    },
    {
      shows:
        'ServiceSpec.type ServiceSpec.selector ServiceSpec.ports ServicePort.name ServicePort.port ServicePort.protocol ServicePort.targetPort ServicePort.nodePort',
      where: 'host',
      run: `tspod exec front-main sh -c 'env | grep -E "^SHOP_SERVICE" | sort'; curl -s http://192.0.2.10:18088/`,
      prints:
        'SHOP_SERVICE_HOST=shop\nSHOP_SERVICE_PORT=8080\nSHOP_SERVICE_PORT_MORE=8081\nSHOP_SERVICE_PORT_WEB=8080\nfront\n',
    },
    {
      shows: 'ServiceSpec.clusterIP Service.metadata',
      where: 'front-main',
      run: 'for n in pages one.pages shop; do nslookup $n.default.svc.cluster.local >/dev/null && echo $n; done; env | grep -c PAGES',
      prints: 'pages\none.pages\nshop\n0\n',
    },
  ],
  'workloads.yaml': [
    {
      shows:
        'DeploymentSpec.replicas DeploymentSpec.selector DeploymentSpec.template LabelSelector.matchLabels LabelSelector.matchExpressions LabelSelectorRequirement.key LabelSelectorRequirement.operator LabelSelectorRequirement.values PodTemplateSpec.metadata PodTemplateSpec.spec ReplicaSetSpec.replicas ReplicaSetSpec.selector ReplicaSetSpec.template ReplicationControllerSpec.replicas ReplicationControllerSpec.template DaemonSetSpec.selector DaemonSetSpec.template StatefulSetSpec.replicas StatefulSetSpec.selector StatefulSetSpec.template StatefulSetSpec.ordinals StatefulSetOrdinals.start ObjectMeta.name JobSpec.suspend',
      where: 'host',
      run: "tspod pod ps --format '{{.Name}}' | grep -E '^(web|set|old|agent|db|later)-' | sort | tr '\\n' ' '",
      prints: 'agent-pod db-5 db-6 old-pod old-pod-2 set-pod set-pod-2 web-pod web-pod-2 ',
    },
    { shows: 'StatefulSetSpec.podManagementPolicy', where: 'db-5-main', run: 'hostname', prints: 'db-5\n' },
    {
      shows: 'StatefulSetSpec.volumeClaimTemplates PersistentVolumeClaim.metadata',
      where: 'host',
      run: 'cd /var/lib/tspod/volumes; for d in data-*; do echo $d $(cat $d/_data/name); done',
      prints: 'data-db-5 db-5\ndata-db-6 db-6\n',
    },
    {
      shows: 'StatefulSetSpec.serviceName',
      where: 'web-pod-main',
      run: 'nslookup db-6.databases.default.svc.cluster.local >/dev/null && echo known',
      prints: 'known\n',
    },
    {
      shows:
        'JobSpec.completionMode JobSpec.completions JobSpec.parallelism JobSpec.backoffLimit JobSpec.template JobSpec.podFailurePolicy PodFailurePolicy.rules PodFailurePolicyRule.action PodFailurePolicyRule.onExitCodes PodFailurePolicyOnExitCodesRequirement.containerName PodFailurePolicyOnExitCodesRequirement.operator PodFailurePolicyOnExitCodesRequirement.values',
      where: 'host',
      run: job('useless'),
      prints: '"status":"Failed"\n"reason":"PodFailurePolicy"\n"succeeded":0\n"failed":1\n1\n',
    },
    {
      shows: 'JobSpec.backoffLimitPerIndex JobSpec.maxFailedIndexes',
      where: 'host',
      run: job('lame'),
      prints: '"status":"Failed"\n"reason":"MaxFailedIndexesExceeded"\n"succeeded":0\n"failed":2\n2\n',
    },
    {
      shows:
        'JobSpec.successPolicy SuccessPolicy.rules SuccessPolicyRule.succeededIndexes SuccessPolicyRule.succeededCount',
      where: 'host',
      run: job('enough'),
      prints: /^"status":"Complete"\n"reason":"SuccessPolicy"\n"succeeded":1\n/,
    },
  ],
}
