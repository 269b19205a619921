#!/bin/bash
# Builds the movies of run1 and verifies them, or submits again what is missing.
# Written by framepipe VERSION. By hand, in this folder: bsub <finish.sh
#BSUB -J "framepipe-run1-finish"
#BSUB -n 4
#BSUB -R "span[hosts=1]"
#BSUB -M 8192MB
#BSUB -R "rusage[mem=8192MB]"
#BSUB -W 1:00
#BSUB -wa USR1
#BSUB -wt 1
#BSUB -q rome
#BSUB -P physics
#BSUB -r
#BSUB -Q "75"
#BSUB -o finish-1.lsf
#BSUB -l gpu=1

task=1
folder=/data/run/frames/run1/jobs/1
exec >>"$folder/finish-$task.log" 2>&1
cd -- /data/run || exit
module load ffmpeg
source /data/venv/bin/activate
trap : USR1  # the warning before the walltime is for framepipe, which gets it too

/data/venv/bin/python -m framepipe finish \
    "$folder"
code=$?
[ "$code" != 138 ] || code=75  # USR1 came before framepipe listened to it, or after
echo "$code" >>"$folder/finish-$task.ends"
# 75: the time was over. What is done is safe, and the task goes on with the rest in its next run.
if [ "$code" = 75 ] && [ "$(wc -l <"$folder/finish-$task.ends")" -le 100 ]; then
    exit 75
fi
[ "$code" != 75 ] || code=1
exit "$code"
