# shellcheck shell=bash
# Writes what the components read: keys, certificates, configuration files and images.
# Paths inside the cluster's namespaces are the same as outside, except /run, /var/lib and /var/log.

# From the range that is reserved for documentation: no real network uses it.
readonly node_address=192.0.2.10
readonly service_range=10.96.0.0/16 service_address=10.96.0.1
readonly pod_range=10.244.0.0/24
readonly pause_image=localhost/pause:test
readonly containerd_socket=/run/containerd/containerd.sock

write_configuration() {
  mkdir -p "$state"/{pki,etc,cni,images,logs,etcd,containerd,kubelet/plugins,pods,var-lib,var-log}
  "$tools/own/pki" -dir "$state/pki" -node "$name" -address "$node_address" -service "$service_address"
  containerd_toml >"$state/etc/containerd.toml"
  admission_yaml >"$state/etc/admission.yaml"
  kubelet_yaml >"$state/etc/kubelet.yaml"
  pod_network >"$state/cni/pods.conflist"
  # Pods cannot reach the name servers of this machine.
  : >"$state/etc/resolv.conf"
}

# containerd does not change oom_score_adj and does not use systemd's cgroups: a container or a small virtual machine may allow neither.
containerd_toml() {
  cat <<END
version = 3
root = "$state/containerd"
state = "/run/containerd"

[grpc]
address = "$containerd_socket"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "$pause_image"

[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = false

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "$state/cni"
END
}

# The API server presents a client certificate to webhooks that request one, as in a cluster whose operator configured it.
admission_yaml() {
  local plugin
  printf 'apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n'
  for plugin in MutatingAdmissionWebhook ValidatingAdmissionWebhook; do
    cat <<END
- name: $plugin
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: WebhookAdmissionConfiguration
    kubeConfigFile: $state/pki/webhooks.kubeconfig
END
  done
}

# cgroupRoot separates kubelets: each removes the cgroups of Pods that it does not know.
# Evictions and image garbage collection are disabled: a full disk must not stop the Pods of tests or remove their images.
# No DNS server runs: with 127.0.0.1, a lookup in a Pod fails immediately instead of after a timeout.
kubelet_yaml() {
  cat <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $state/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $state/pki/kubelet.crt
tlsPrivateKeyFile: $state/pki/kubelet.key
containerRuntimeEndpoint: unix://$containerd_socket
podLogsDir: $state/pods
volumePluginDir: $state/kubelet/plugins
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
evictionHard:
  memory.available: 1Mi
  nodefs.available: 0%
  nodefs.inodesFree: 0%
  imagefs.available: 0%
  imagefs.inodesFree: 0%
imageGCHighThresholdPercent: 100
clusterDomain: cluster.local
clusterDNS: [127.0.0.1]
resolvConf: $state/etc/resolv.conf
END
}

# ptp gives each Pod its own route. On a bridge, replies from a Service to a Pod of the same node would require br_netfilter.
pod_network() {
  cat <<END
{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-addresses",
        "ranges": [[{"subnet": "$pod_range"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
END
}

write_images() {
  local rootfs=$state/images/rootfs applet
  "$tools/own/image" -f "$here/pause/Dockerfile" -t "$pause_image" -s "tools:/=$tools/own" -o "$state/images/pause.tar"

  mkdir -p "$rootfs/bin"
  mkdir -m 1777 "$rootfs/tmp"
  cp "$(command -v busybox)" "$rootfs/bin/busybox"
  for applet in $(busybox --list); do
    [[ $applet == busybox ]] || ln -s busybox "$rootfs/bin/$applet"
  done
  "$tools/own/image" -f "$here/busybox/Dockerfile" -t busybox:test -s "debian:/rootfs=$rootfs" -o "$state/images/busybox.tar"
}
