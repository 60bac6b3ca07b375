#!/usr/bin/env bash
# Say of a PBS job whether it is running, success or failed. Its history must be kept (`qstat -x` shows it).
if ! found=$(qstat -x -f "$1" 2>&1); then
    # A server that is busy knows more later; one that does not know the job never will.
    if grep -qi "unknown job" <<< "$found"; then echo failed; else echo running; fi
    exit
fi
if ! grep -q "job_state = [FCX]" <<< "$found"; then
    echo running
elif grep -qi "exit_status = 0$" <<< "$found"; then
    echo success
else
    echo failed
fi
