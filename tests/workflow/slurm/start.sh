#!/usr/bin/env bash
# Start Slurm on loopback, as root, with this machine as its only node: tests/workflow/slurm/start.sh FOLDER
# State and logs go to the folder. A Slurm that an earlier start left is ended first; stop.sh ends this one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/stop.sh"
folder=$(mkdir -p "${1:?a folder for state and logs}" && cd "$1" && pwd)
rm -rf "$folder/state" "$folder/spool"
mkdir -p "$folder/state" "$folder/spool" /etc/slurm/before-loopback

for file in slurm.conf gres.conf; do
    if [ -e "/etc/slurm/$file" ] || [ -L "/etc/slurm/$file" ]; then
        mv "/etc/slurm/$file" /etc/slurm/before-loopback/
    fi
done
memory_mb=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
sed -e "s|@FOLDER@|$folder|" -e "s|@HOST@|$(hostname -s)|g" -e "s|@CPUS@|$(nproc)|" \
    -e "s|@MEMORY_MB@|$memory_mb|" "$here/slurm.conf" > /etc/slurm/slurm.conf
echo "Name=gpu File=/dev/null" > /etc/slurm/gres.conf

if ! munge -n > /dev/null 2>&1; then
    mkdir -p /run/munge
    chown munge: /run/munge
    rm -f /run/munge/munged.pid /run/munge/munge.socket.2*
    runuser -u munge -- munged
fi
slurmctld -i
slurmd -N "$(hostname -s)"

for _ in $(seq 300); do
    if [ "$(sinfo --noheader --partition main --format %T 2> /dev/null)" = idle ]; then
        exec sinfo
    fi
    sleep 0.2
done
echo "Slurm does not start; its logs lie in $folder" >&2
tail -n 20 "$folder"/slurm*.log >&2
exit 1
