#!/bin/bash
# Draws the frames of run1: task K those of shard K/64.
# Written by framepipe VERSION. By hand, in this folder: sbatch draw.sh
#SBATCH --job-name=framepipe-run1-draw
#SBATCH --array=3,7-9
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --signal=USR1@60
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=draw-%a.log

task=$SLURM_ARRAY_TASK_ID
folder=/data/run/frames/run1/jobs/1
cd -- /data/run || exit

srun --ntasks=1 --cpus-per-task=1 \
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
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
[ "$code" != 75 ] || code=1
exit "$code"
