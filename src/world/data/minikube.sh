# minikube's stand-in on the student's host: this cluster is kubeadm's, and of minikube it has the add-ons that
# tutorials enable, and the commands that say where things are.
at=https://raw.githubusercontent.com/kubernetes
words=()
for word; do
  case $word in
  -*) ;;
  *) words+=("$word") ;;
  esac
done
set -- "${words[@]}"
manifest() {
  case $1 in
  # minikube's controller is reached at ports 80 and 443 of its node.
  ingress) curl -s "$at/ingress-nginx/main/deploy/static/provider/baremetal/deploy.yaml" |
    sed 's/^\( *\)containerPort: \(80\|443\)$/&\n\1hostPort: \2/' ;;
  metrics-server) curl -sL https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml ;;
  dashboard) curl -s "$at/dashboard/v2.7.0/aio/deploy/recommended.yaml" ;;
  *)
    echo "X Exiting due to MK_ADDON_ENABLE: the add-on '$1' is not simulated: there are ingress, metrics-server and dashboard" >&2
    return 1
    ;;
  esac
}
placed() {
  case $1 in
  ingress) echo ingress-nginx ingress-nginx-controller ;;
  metrics-server) echo kube-system metrics-server ;;
  dashboard) echo kubernetes-dashboard kubernetes-dashboard ;;
  esac
}
enabled() {
  read -r namespace name <<<"$(placed "$1")"
  kubectl get deployment -n "$namespace" "$name" >/dev/null 2>&1
}
node() {
  kubectl get pods -n ingress-nginx -l app.kubernetes.io/component=controller \
    -o jsonpath='{.items[0].status.hostIP}' 2>/dev/null ||
    kubectl get nodes -o jsonpath='{.items[0].status.addresses[0].address}'
}
case "$1 $2" in
'addons enable')
  yaml=$(manifest "$3") || exit 10
  echo "* $3 is an addon maintained by Kubernetes. For any concerns contact minikube on GitHub."
  echo "* Verifying $3 addon..."
  kubectl apply -f - <<<"$yaml" >/dev/null || exit 10
  read -r namespace name <<<"$(placed "$3")"
  kubectl rollout status -n "$namespace" "deployment/$name" --timeout=6m >/dev/null || exit 10
  echo "* The '$3' addon is enabled"
  ;;
'addons disable')
  yaml=$(manifest "$3") || exit 10
  kubectl delete --ignore-not-found --wait=false -f - <<<"$yaml" >/dev/null
  echo "* The '$3' addon is disabled"
  ;;
'addons list')
  for addon in dashboard ingress metrics-server; do
    if enabled "$addon"; then state=enabled; else state=disabled; fi
    printf '%-16s %s\n' "$addon" "$state"
  done
  ;;
'ip '*) node; echo ;;
'status '*) printf 'minikube\ntype: Control Plane\nhost: Running\nkubelet: Running\napiserver: Running\nkubeconfig: Configured\n\n' ;;
'start '*) echo '* Done! kubectl is now configured to use this cluster, which kubeadm has made' ;;
'kubectl '*) shift; kubectl "$@" ;;
'service '*)
  port=$(kubectl get service "$2" -o jsonpath='{.spec.ports[0].nodePort}') || exit 81
  echo "http://$(kubectl get nodes -o jsonpath='{.items[0].status.addresses[0].address}'):$port"
  ;;
*)
  echo "minikube $1 is not simulated: there are addons, ip, kubectl, service, start and status" >&2
  exit 64
  ;;
esac
