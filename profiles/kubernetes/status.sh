#!/usr/bin/env bash
# Say of a job of Kubernetes whether it is running, success or failed.
if ! found=$(kubectl get "$1" -o 'jsonpath=succeeded={.status.succeeded} failed={.status.failed}' 2>&1); then
    # A server that is busy knows more later; a job that it does not know is gone.
    if grep -q NotFound <<< "$found"; then echo failed; else echo running; fi
elif grep -q succeeded=1 <<< "$found"; then
    echo success
elif grep -q failed=1 <<< "$found"; then
    echo failed
else
    echo running
fi
