#!/bin/bash
# Encodes the movies of run1 in segments: task K those of shard K/40.
# Written by framepipe VERSION. By hand, in this folder: bsub <encode.sh
#BSUB -J "framepipe-run1-encode[1-40]"
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
#BSUB -o encode-%I.lsf
#BSUB -l gpu=1

task=$LSB_JOBINDEX
folder=/data/run/frames/run1/jobs/1
exec >>"$folder/encode-$task.log" 2>&1
cd -- /data/run || exit
module load ffmpeg
source /data/venv/bin/activate
trap : USR1  # the warning before the walltime is for framepipe, which gets it too

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
    exit 75
fi
[ "$code" != 75 ] || code=1
exit "$code"
