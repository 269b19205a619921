#!/bin/bash
# Builds the movies of run1 and verifies them, or submits again what is missing.
# Written by framepipe VERSION. By hand, in this folder: qsub finish.sh
#PBS -N framepipe-run1-finish
#PBS -l select=1:ncpus=4:mem=8192mb
#PBS -l walltime=1:00:00
#PBS -q rome
#PBS -A physics
#PBS -r y
#PBS -j oe
#PBS -V
#PBS -l gpu=1

task=1
folder=/data/run/frames/run1/jobs/1
exec >>"$folder/finish-$task.log" 2>&1
cd -- /data/run || exit
module load ffmpeg
source /data/venv/bin/activate

timeout --foreground --preserve-status --signal=USR1 $((3540 - SECONDS)) \
    /data/venv/bin/python -m framepipe finish \
    "$folder"
code=$?
[ "$code" != 138 ] || code=75  # USR1 came before framepipe listened to it, or after
echo "$code" >>"$folder/finish-$task.ends"
# 75: the time was over. What is done is safe, and the task goes on with the rest in its next run.
if [ "$code" = 75 ] && [ "$(wc -l <"$folder/finish-$task.ends")" -le 100 ]; then
    qrerun "$PBS_JOBID"
fi
[ "$code" != 75 ] || code=1
exit "$code"
