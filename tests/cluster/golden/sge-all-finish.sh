#!/bin/bash
# Builds the movies of run1 and verifies them, or submits again what is missing.
# Written by framepipe VERSION. By hand, in this folder: qsub finish.sh
#$ -N framepipe-run1-finish
#$ -S /bin/bash
#$ -cwd
#$ -V
#$ -j y
#$ -r y
#$ -pe smp 4
#$ -l h_vmem=2048M
#$ -l h_rt=1:00:00,s_rt=0:59:00
#$ -q rome
#$ -P physics
#$ -l gpu=1

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
    exit 99
fi
[ "$code" != 75 ] || code=1
exit "$code"
