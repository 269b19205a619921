#!/bin/bash
# Draws the frames of run1: task K those of shard K/64.
# Written by framepipe VERSION. By hand, in this folder: qsub draw.sh
#$ -N framepipe-run1-draw
#$ -S /bin/bash
#$ -cwd
#$ -V
#$ -j y
#$ -r y
#$ -t 1-64
#$ -pe smp 4
#$ -l h_vmem=2048M
#$ -l h_rt=1:00:00,s_rt=0:59:00
#$ -q rome
#$ -P physics
#$ -l gpu=1

task=$SGE_TASK_ID
folder=/data/run/frames/run1/jobs/1
exec >>"$folder/draw-$task.log" 2>&1
cd -- /data/run || exit
module load ffmpeg
source /data/venv/bin/activate
trap : USR1  # the warning before the walltime is for framepipe, which gets it too

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
    exit 99
fi
[ "$code" != 75 ] || code=1
exit "$code"
