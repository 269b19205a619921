#!/bin/bash
# Draws the frames of run1: task K those of shard K/64.
# Written by framepipe VERSION. By hand, in this folder: qsub draw.sh
#PBS -N framepipe-run1-draw
#PBS -J 1-64
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
exec >>"$folder/draw-$task.log" 2>&1
cd -- /data/run || exit
module load ffmpeg
source /data/venv/bin/activate

timeout --foreground --preserve-status --signal=USR1 $((3540 - SECONDS)) \
    /data/venv/bin/python -m framepipe render scene.py:draw \
    --frames=0-9999 \
    --store=/data/run/frames/run1 \
    --param=amplitude=0.8 \
    '--param=title=a b' \
    --workers=4 \
    --shard="$task/64" \
    -- \
    --steps \
    200
code=$?
[ "$code" != 138 ] || code=75  # USR1 came before framepipe listened to it, or after
echo "$code" >>"$folder/draw-$task.ends"
# 75: the time was over. What is done is safe, and the task goes on with the rest in its next run.
if [ "$code" = 75 ] && [ "$(wc -l <"$folder/draw-$task.ends")" -le 100 ]; then
    qrerun "$PBS_JOBID"
fi
[ "$code" != 75 ] || code=1
exit "$code"
