"""The command lines and settings of etcd, containerd and Kubernetes' parts, for one node that is its own control plane."""

import json
import pathlib
import secrets

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

BINARIES = pathlib.Path(__file__).resolve().parents[2] / "build/kubernetes"

NODE = "node"
PODS = "10.67.0.0/16"
SERVICES = "10.68.0.0/16"
API_SERVER = "https://127.0.0.1:6443"
CONTAINERD = "/run/containerd/containerd.sock"
PAUSE_IMAGE = "introspectd.test/pause:1"

# How soon a changed ConfigMap or Secret is in its volume; a minute by default.
KUBELET_SYNC = "1s"

CONTAINERD_CONFIG = f"""
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "CNI_DIRECTORY"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""

# A link to each pod and a route, no bridge: what the node sends to a Service passes its packet filter in any case.
POD_NETWORK = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "ptp",
            "ipMasq": False,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/cni"},
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}


class Files:
    """What the daemons read, written for one run."""

    def __init__(self, directory, cgroup):
        self.directory = directory
        self.token = secrets.token_urlsafe(24)
        self.tokens = self._write("tokens.csv", f'{self.token},admin,admin,"system:masters"\n')
        self.service_account_key = self._write("service-accounts.key", _rsa_key())
        self.kubeconfig = self._write("kubeconfig", self._kubeconfig())
        cni = directory / "cni"
        cni.mkdir()
        (cni / "pods.conflist").write_text(json.dumps(POD_NETWORK))
        self.containerd = self._write("containerd.toml", CONTAINERD_CONFIG.replace("CNI_DIRECTORY", str(cni)))
        self.kubelet = self._write("kubelet.json", json.dumps(kubelet_config(cgroup)))

    def _write(self, name, content):
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(content)
        return path

    def _kubeconfig(self):
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": {"server": API_SERVER, "insecure-skip-tls-verify": True}}],
                "users": [{"name": "admin", "user": {"token": self.token}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
                "current-context": "test",
            }
        )


def _rsa_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return key.private_bytes(*encoding).decode()


def kubelet_config(cgroup):
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "syncFrequency": KUBELET_SYNC,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        # The disk of who runs the tests may be fuller than a node's.
        "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
        "resolvConf": "",
        "clusterDomain": "cluster.local",
    }


def etcd(_files):
    return ["etcd", "--data-dir", "/var/lib/etcd", "--unsafe-no-fsync", "--logger", "zap", "--log-level", "warn"]


def containerd(files):
    return ["containerd", "--config", files.containerd]


def api_server(files):
    return [
        BINARIES / "kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        "--bind-address=127.0.0.1",
        "--advertise-address=10.66.0.1",
        "--secure-port=6443",
        "--cert-dir=/run/kubernetes",
        f"--service-cluster-ip-range={SERVICES}",
        f"--token-auth-file={files.tokens}",
        "--authorization-mode=RBAC",
        "--allow-privileged=false",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://cluster.test",
        f"--service-account-key-file={files.service_account_key}",
        f"--service-account-signing-key-file={files.service_account_key}",
    ]


def controller_manager(files):
    return [
        BINARIES / "kube-controller-manager",
        f"--kubeconfig={files.kubeconfig}",
        f"--service-account-private-key-file={files.service_account_key}",
        "--leader-elect=false",
        "--cert-dir=/run/kubernetes-controllers",
        "--horizontal-pod-autoscaler-sync-period=2s",
    ]


def scheduler(files):
    return [BINARIES / "kube-scheduler", f"--kubeconfig={files.kubeconfig}", "--leader-elect=false"]


def kubelet(files):
    return [
        BINARIES / "kubelet",
        f"--config={files.kubelet}",
        f"--kubeconfig={files.kubeconfig}",
        "--root-dir=/var/lib/kubelet",
        "--cert-dir=/var/lib/kubelet/pki",
        "--volume-plugin-dir=/var/lib/kubelet/plugins",
        "--container-runtime=remote",
        f"--container-runtime-endpoint=unix://{CONTAINERD}",
        f"--hostname-override={NODE}",
        "--node-ip=10.66.0.1",
    ]


def proxy(files):
    return [
        BINARIES / "kube-proxy",
        f"--kubeconfig={files.kubeconfig}",
        "--proxy-mode=iptables",
        f"--hostname-override={NODE}",
        f"--cluster-cidr={PODS}",
        # Those settings are the whole machine's.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ]
