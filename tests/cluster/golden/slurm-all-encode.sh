#!/bin/bash
# Encodes the movies of run1 in segments: task K those of shard K/40.
# Written by framepipe VERSION. By hand, in this folder: sbatch encode.sh
#SBATCH --job-name=framepipe-run1-encode
#SBATCH --array=1-40
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=8192M
#SBATCH --time=1:00:00
#SBATCH --partition=rome
#SBATCH --account=physics
#SBATCH --signal=USR1@60
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=encode-%a.log
#SBATCH -l gpu=1

task=$SLURM_ARRAY_TASK_ID
folder=/data/run/frames/run1/jobs/1
cd -- /data/run || exit
module load ffmpeg
source /data/venv/bin/activate

srun --ntasks=1 --cpus-per-task=4 \
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
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
[ "$code" != 75 ] || code=1
exit "$code"
