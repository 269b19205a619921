#!/bin/bash
# Draws the frames of run1: task K those of shard K/64.
# Written by framepipe VERSION. By hand, in this folder: bsub <draw.sh
#BSUB -J "framepipe-run1-draw[3,7-9]"
#BSUB -n 1
#BSUB -R "span[hosts=1]"
#BSUB -r
#BSUB -Q "75"
#BSUB -o draw-%I.lsf

task=$LSB_JOBINDEX
folder=/data/run/frames/run1/jobs/1
exec >>"$folder/draw-$task.log" 2>&1
cd -- /data/run || exit

/usr/bin/python3 -m framepipe render scene.py:draw \
    --frames=0-9999 \
    --store=/data/run/frames/run1 \
    --workers=1 \
    --shard="$task/64"
code=$?
[ "$code" != 138 ] || code=75  # USR1 came before framepipe listened to it, or after
echo "$code" >>"$folder/draw-$task.ends"
# 75: the time was over. What is done is safe, and the task goes on with the rest in its next run.
if [ "$code" = 75 ] && [ "$(wc -l <"$folder/draw-$task.ends")" -le 100 ]; then
    exit 75
fi
[ "$code" != 75 ] || code=1
exit "$code"
