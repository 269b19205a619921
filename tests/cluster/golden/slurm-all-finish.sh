#!/bin/bash
# Builds the movies of run1 and verifies them, or submits again what is missing.
# Written by framepipe VERSION. By hand, in this folder: sbatch finish.sh
#SBATCH --job-name=framepipe-run1-finish
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=8192M
#SBATCH --time=1:00:00
#SBATCH --partition=rome
#SBATCH --account=physics
#SBATCH --signal=USR1@60
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=finish-1.log
#SBATCH -l gpu=1

task=1
folder=/data/run/frames/run1/jobs/1
cd -- /data/run || exit
module load ffmpeg
source /data/venv/bin/activate

srun --ntasks=1 --cpus-per-task=4 \
    /data/venv/bin/python -m framepipe finish \
    "$folder"
code=$?
[ "$code" != 138 ] || code=75  # USR1 came before framepipe listened to it, or after
echo "$code" >>"$folder/finish-$task.ends"
# 75: the time was over. What is done is safe, and the task goes on with the rest in its next run.
if [ "$code" = 75 ] && [ "$(wc -l <"$folder/finish-$task.ends")" -le 100 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
[ "$code" != 75 ] || code=1
exit "$code"
