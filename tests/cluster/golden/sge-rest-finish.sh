#!/bin/bash
# Builds the movies of run1 and verifies them, or submits again what is missing.
# Written by framepipe VERSION. By hand, in this folder: qsub finish.sh
#$ -N framepipe-run1-finish
#$ -S /bin/bash
#$ -cwd
#$ -V
#$ -j y
#$ -r y

task=1
folder=/data/run/frames/run1/jobs/1
exec >>"$folder/finish-$task.log" 2>&1
cd -- /data/run || exit

/usr/bin/python3 -m framepipe finish \
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
