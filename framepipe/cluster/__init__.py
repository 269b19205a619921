"""Clusters: job scripts for Slurm, PBS, LSF and SGE, how they are submitted, and what became of them."""
