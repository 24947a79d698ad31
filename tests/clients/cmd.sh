#!/usr/bin/env bash
# Runs the test/cmd suite of a Kubernetes checkout, which is the working directory, against a server
# that runs already. `cargo xtask test cmd` starts both. From the environment:
#   KUBECTL          the kubectl to test with, a full path
#   SECURE_API_PORT  the server's port at 127.0.0.1; it must know the token `admin-token`
#   SELECTED         names of functions, separated by spaces; all when empty
#   LOGS             a folder for what each function prints
#   SECONDS_EACH     after so many seconds a function has failed (600)
# Each function gives a line on standard output: `passed` or `failed`, its name, its seconds. What
# `runTests` does between its functions is the function `between`; its failures are listed, too.

set -o errexit -o nounset -o pipefail

results=$(mktemp)
KUBE_TEMP=$(mktemp -d)
export KUBE_TEMP SECURE_API_PORT
exec 3>&1 >"${LOGS}/between.log" 2>&1

# The scripts say `kubectl`, and look for it first in this folder of a build.
export KUBE_OUTPUT_HOSTBIN=${KUBE_TEMP}/bin
mkdir "${KUBE_OUTPUT_HOSTBIN}"
ln -s "${KUBECTL}" "${KUBE_OUTPUT_HOSTBIN}/kubectl"
tools=${KUBE_OUTPUT_HOSTBIN}

source hack/lib/init.sh
KUBE_OUTPUT_HOSTBIN=${tools}
PATH=${tools}:${PATH}
source hack/lib/test.sh
export KUBE_JUNIT_REPORT_DIR=${KUBE_TEMP}/junit
source test/cmd/legacy-script.sh

# Takes the place of the suite's own function, which writes a report for JUnit.
record_command() {
  set +o nounset
  set +o errexit
  local name=$1 started=${SECONDS} status
  if [[ -n ${SELECTED:-} && " ${SELECTED} " != *" ${name} "* ]]; then
    return 0
  fi
  # A process group of its own, so that nothing of it survives.
  set -m
  (eval "$@") </dev/null >"${LOGS}/${name}.log" 2>&1 &
  local group=$!
  set +m
  (
    sleep "${SECONDS_EACH:-600}" || exit
    echo "It takes too long." >>"${LOGS}/${name}.log"
    kill -- "-${group}"
  ) &
  local guard=$!
  wait "${group}"
  status=$?
  pkill -P "${guard}" 2>/dev/null
  kill "${guard}" 2>/dev/null
  wait "${guard}" 2>/dev/null
  kill -- "-${group}" 2>/dev/null
  if [[ ${status} == 0 ]]; then
    echo "passed ${name} $((SECONDS - started))" >&3
  else
    echo "failed ${name} $((SECONDS - started))" >&3
  fi
}

# Of the suite's functions one is called as it is.
if declare -F run_recursive_resources_tests >/dev/null; then
  eval "the_$(declare -f run_recursive_resources_tests)"
  run_recursive_resources_tests() { record_command the_run_recursive_resources_tests; }
fi

between() {
  # The suite would stop here.
  echo "FAILED in runTests, line $1: $2"
  echo "$1" >>"${results}"
}

cleanup() {
  stop-proxy
  rm -rf "${KUBE_TEMP}" "${results}"
}
trap cleanup EXIT

HOME=${KUBE_TEMP}
unset KUBECONFIG
kube::util::ensure-gnu-sed
CONTEXT=test
kubectl config set-credentials test-admin --token admin-token
kubectl config set-cluster local --insecure-skip-tls-verify --server "https://127.0.0.1:${SECURE_API_PORT}"
kubectl config set-context "${CONTEXT}" --user test-admin --cluster local
kubectl config use-context "${CONTEXT}"

# The suite's own server runs without a kubelet, so it makes a node.
kubectl create -f - <<<'{"apiVersion":"v1","kind":"Node","metadata":{"name":"127.0.0.1"},"status":{"capacity":{"memory":"1Gi"}}}'

export SUPPORTED_RESOURCES=("*")
versions=$(kubectl version -o json)
if [[ $(jq -r .clientVersion.gitVersion <<<"${versions}") != $(jq -r .serverVersion.gitVersion <<<"${versions}") ]]; then
  # No `--match-server-version` then.
  export ALLOW_SKEW=y
fi

set +o errexit +o nounset
trap '[[ ${FUNCNAME[0]:-} == runTests ]] && between "${LINENO}" "${BASH_COMMAND}"' ERR
set -o errtrace
runTests
trap - ERR
if [[ -z ${SELECTED:-} ]]; then
  if [[ -s ${results} ]]; then
    echo "failed between 0" >&3
  else
    echo "passed between 0" >&3
  fi
fi
