#!/bin/bash
# A Slurm job array: every task of the array makes one shard, image i belonging to shard i modulo SHARDS.
#
#   sbatch --array=0-99%50 docker/slurm.sh RECIPE COUNT OUT SHARDS [OPTION…]
#   sbatch --array=3,17    docker/slurm.sh RECIPE COUNT OUT SHARDS [OPTION…]      some of them again: SHARDS stays 100
#
# OPTIONs go to `scenewright generate`; with more --workers give --threads and --memory too, which are of each worker.
# From the environment:
#   SCENEWRIGHT         how the program is called, e.g. "apptainer exec --nv scenewright.sif scenewright"
#   SCENEWRIGHT_CACHE   folder for kernel caches on the node's own disk (default: /var/tmp/scenewright-UID)
#
#SBATCH --job-name=scenewright
#SBATCH --output=scenewright-%A_%a.log
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=24G
#SBATCH --gpus=1
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --signal=B:USR1@30
set -uo pipefail

if (($# < 4)); then
    sed -n '2,/^$/{/^# /s/^# //p}' "$0" >&2
    exit 2
fi
recipe=$1 count=$2 out=$3 shards=$4
shift 4
shard=${SLURM_ARRAY_TASK_ID:?is not set: start this with sbatch --array=0-N docker/slurm.sh …}
task=${SLURM_ARRAY_JOB_ID}_$shard  # SLURM_JOB_ID of one task would name the whole array
read -ra program <<< "${SCENEWRIGHT:-scenewright}"

cache=${SCENEWRIGHT_CACHE:-/var/tmp/scenewright-$UID}
(umask 077 && mkdir -p "$cache")
if [ ! -O "$cache" ]; then
    echo "$cache is not yours: set SCENEWRIGHT_CACHE to a folder on the node's own disk" >&2
    exit 1
fi
export XDG_CACHE_HOME=$cache CUDA_CACHE_PATH=$cache/cuda CUDA_CACHE_MAXSIZE=4294967296 OPTIX_CACHE_PATH=$cache/optix

# Slurm kills a task that takes more than its memory: a worker that comes near is replaced before.
memory=$((${SLURM_MEM_PER_NODE:-0} * 3 / 4 / 1024))
((memory > 1)) || memory=""

# 30 s before the time limit Slurm sends USR1 to this shell; then the program gets SIGTERM and 20 s for images in the
# making. By scancel, since srun itself answers a SIGTERM by killing its tasks. USR1 tells this end from a cancellation.
time_up="" again=yes
trap 'time_up=yes again=yes; scancel --signal=TERM "$task"' USR1

# srun does not take the count of cores over from sbatch, and would bind the task to one.
srun --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" "${program[@]}" generate "$recipe" --count "$count" --out "$out" \
    --executor index --shard "$shard" --shards "$shards" \
    --threads "${SLURM_CPUS_PER_TASK:-1}" ${memory:+--memory "$memory"} "$@" &
step=$!
while [ "$again" ]; do  # a trap ends `wait` before the step has ended
    again=""
    wait "$step"
    code=$?
done

# 130: images are left. The same command goes on from the records that are there, on whatever node comes next.
if [ "$time_up" ] && ((code == 130 && ${SLURM_RESTART_COUNT:-0} < 100)); then
    scontrol requeue "$task"
fi
exit "$code"
