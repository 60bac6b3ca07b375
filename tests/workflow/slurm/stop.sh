#!/usr/bin/env bash
# End the Slurm that start.sh started, if one runs, with its jobs, and put back what was in /etc before.
set -euo pipefail
grep -qs "^ClusterName=loopback$" /etc/slurm/slurm.conf || exit 0

setting() { sed -n "s/^$1=//p" /etc/slurm/slurm.conf; }

# A pid file may be of long ago, and the number another process's by now.
runs() { [ "$(basename "$(readlink "/proc/$1/exe")")" = "$2" ]; }

end() {
    local pid
    pid=$(cat "$2" 2> /dev/null) || return 0
    rm -f "$2"
    if runs "$pid" "$1"; then kill "$pid"; fi
    for _ in $(seq 100); do
        runs "$pid" "$1" || return 0
        sleep 0.1
    done
    kill -9 "$pid"
}

# Also where the pid files are gone with their folder.
if timeout 10 scancel --user root 2> /dev/null; then sleep 1; fi
timeout 10 scontrol shutdown > /dev/null 2>&1 || true
end slurmd "$(setting SlurmdPidFile)"
end slurmctld "$(setting SlurmctldPidFile)"
for _ in $(seq 300); do
    (exec 3<> "/dev/tcp/127.0.0.1/$(setting SlurmctldPort)") 2> /dev/null || break
    sleep 0.1
done

rm -f /etc/slurm/slurm.conf /etc/slurm/gres.conf
find /etc/slurm/before-loopback -mindepth 1 -exec mv -t /etc/slurm {} + 2> /dev/null || true
rmdir /etc/slurm/before-loopback
