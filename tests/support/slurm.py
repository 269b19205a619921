"""A real Slurm of one node on this machine: its own munge, ports and folders, ended by its pids.

Needs no privileges: all of it runs as this user, on loopback. `scripts/test` installs the programs on Debian.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import ending_with_us

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
_PATIENCE_S = 60

#: cred_expire: a job that is queued again waits one second longer than this; 120 s by default.
_CONFIG = """
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={run}/munge.socket,cred_expire=5
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmctldPidFile={run}/slurmctld.pid
SlurmdPidFile={run}/slurmd.pid
SlurmctldLogFile={run}/slurmctld.log
SlurmdLogFile={run}/slurmd.log
StateSaveLocation={run}/state
SlurmdSpoolDir={run}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=0
ReturnToService=2
KillWait=5
MinJobAge=300
JobRequeue=1
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 Boards=1 SocketsPerBoard=1 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=2000
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    """Those that are needed and not here."""
    return [name for name in PROGRAMS if not _path_of(name)]


@contextmanager
def running_slurm(run: Path) -> Iterator[dict[str, str]]:
    """Start Slurm in a folder with a short path; provide the environment in which its programs find it."""
    for name in ("state", "spool"):
        (run / name).mkdir(parents=True)
    controller_port, node_port = _free_ports(2)
    config = run / "slurm.conf"
    config.write_text(
        _CONFIG.format(
            host=socket.gethostname().partition(".")[0],
            user=getpass.getuser(),
            run=run,
            controller_port=controller_port,
            node_port=node_port,
        )
    )
    env = {"SLURM_CONF": str(config)}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        (run / "munge.key").write_bytes(os.urandom(1024))
        (run / "munge.key").chmod(0o400)
        options = {
            "key-file": "key",
            "socket": "socket",
            "pid-file": "pid",
            "log-file": "log",
            "seed-file": "seed",
        }
        munge = [f"--{option}={run}/munge.{name}" for option, name in options.items()]
        processes.append(_start(run, env, "munged", "--foreground", "--force", *munge))
        _wait_for(run, "munge's socket", (run / "munge.socket").exists)
        processes.append(_start(run, env, "slurmctld", "-D"))
        processes.append(_start(run, env, "slurmd", "-D"))
        _wait_for(run, "an idle node", lambda: _ask(env, "sinfo", "--noheader", "--format=%T") == "idle")
        yield env
    finally:
        if len(processes) > 1:
            _ask(env, "scancel", "--user", getpass.getuser())
            _wait_for(run, "an empty queue", lambda: not _ask(env, "squeue", "--noheader"))
        for process in reversed(processes):
            process.terminate()
        for process in reversed(processes):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(run: Path, env: dict[str, str], program: str, *arguments: str) -> subprocess.Popen[bytes]:
    path = _path_of(program)
    assert path, program
    with (run / f"{program}.out").open("wb") as output:
        return subprocess.Popen(
            ending_with_us([path, *arguments]),
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=run,
            start_new_session=True,
        )


def _wait_for(run: Path, what: str, is_there) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not is_there():
        if time.monotonic() > until:
            logs = "\n".join(
                f"{path.name}:\n{path.read_text()[-1500:]}" for path in sorted(run.glob("*.[lo][ou][gt]"))
            )
            raise AssertionError(f"no {what} within {_PATIENCE_S} s\n{logs}")
        time.sleep(0.1)


def _ask(env: dict[str, str], *argv: str) -> str:
    done = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def _path_of(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
