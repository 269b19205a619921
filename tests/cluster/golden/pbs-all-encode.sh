#!/bin/bash
# Encodes the movies of run1 in segments: task K those of shard K/40.
# Written by framepipe VERSION. By hand, in this folder: qsub encode.sh
#PBS -N framepipe-run1-encode
#PBS -J 1-40
#PBS -l select=1:ncpus=4:mem=8192mb
#PBS -l walltime=1:00:00
#PBS -q rome
#PBS -A physics
#PBS -r y
#PBS -j oe
#PBS -V
#PBS -l gpu=1

task=${PBS_ARRAY_INDEX:-1}
folder=/data/run/frames/run1/jobs/1
exec >>"$folder/encode-$task.log" 2>&1
cd -- /data/run || exit
module load ffmpeg
source /data/venv/bin/activate

timeout --foreground --preserve-status --signal=USR1 $((3540 - SECONDS)) \
    /data/venv/bin/python -m framepipe assemble /data/run/frames/run1 \
    --output=/data/run/run1.mp4 \
    --output=/data/run/run1.gif \
    --workers=4 \
    --fps=24 \
    --shard="$task/40"
code=$?
[ "$code" != 138 ] || code=75  # USR1 came before framepipe listened to it, or after
echo "$code" >>"$folder/encode-$task.ends"
# 75: the time was over. What is done is safe, and the task goes on with the rest in its next run.
if [ "$code" = 75 ] && [ "$(wc -l <"$folder/encode-$task.ends")" -le 100 ]; then
    qrerun "$PBS_JOBID"
fi
[ "$code" != 75 ] || code=1
exit "$code"
