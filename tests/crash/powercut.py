# SPDX-License-Identifier: MIT
"""Power cuts without a machine to cut off: an ext4 on a loop device is shut down (EXT4_IOC_SHUTDOWN without a
flush of its journal), so that what was not synced is gone, and all processes die with it. Then it is mounted
again, and what had been acknowledged is compared with what is there.
"""
import ctypes
import fcntl
import os
import random
import subprocess
import sys
import time
import uuid

from arena import Arena
from server import wait_for

BOOT_ID = "/proc/sys/kernel/random/boot_id"
CLONE_NEWNS = 0x20000
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
IMAGE_BYTES = 96 << 20
SKIPPED = 77


class Disk:
    """An ext4 in a file, mounted below @directory."""

    def __init__(self, directory):
        self.image = os.path.join(directory, "disk.img")
        self.path = os.path.join(directory, "disk")
        os.mkdir(self.path)
        with open(self.image, "wb") as f:
            f.truncate(IMAGE_BYTES)
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.mount()

    def mount(self):
        run("mount", "-o", "loop", self.image, self.path)

    def unmount(self):
        # A process that has just died may still be closing its files.
        wait_for(lambda: subprocess.run(["umount", self.path], stderr=subprocess.DEVNULL).returncode == 0,
                 "the disk can be unmounted")

    def cut(self):
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, ctypes.c_uint32(NO_LOG_FLUSH))
        finally:
            os.close(fd)


def private_mounts():
    """From now on what we mount is seen by us and by what we start only, and goes with us."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")


class Machine:
    """What the power is cut off: it has a boot id of its own."""

    def __init__(self, directory):
        self._file = os.path.join(directory, "boot_id")
        self._booted = False

    def boot(self):
        if self._booted:
            run("umount", BOOT_ID)
        with open(self._file, "w", encoding="ascii") as f:
            f.write(f"{uuid.uuid4()}\n")
        run("mount", "--bind", self._file, BOOT_ID)
        self._booted = True


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def why_not():
    """Why there can be no power cut here; None: there can."""
    if os.geteuid() != 0:
        return "only root can mount a file system"
    if not os.path.exists("/dev/loop-control"):
        return "there are no loop devices"
    if subprocess.run(["losetup", "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        return "there is no free loop device"
    return None


class PowerArena(Arena):
    """The state is on the disk that fails; what the children did is written down elsewhere."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        private_mounts()
        self.machine = Machine(self.directory)
        self.machine.boot()
        self.disk = Disk(self.directory)
        self.server.state = os.path.join(self.disk.path, "state")
        self.server.database = os.path.join(self.server.state, "registry.db")

    def __exit__(self, *args):
        self.server.kill_all()
        self.server.remove_control_groups()
        if os.path.ismount(self.disk.path):
            self.disk.unmount()
        return super().__exit__(*args)

    def power_cut(self):
        """Clients get their answers until the disk stops; then all is dark, and light again. Nobody can be told
        anything after that: ext4 lets an fdatasync() that waits for its journal return 0 when the journal is aborted
        just then, and on a machine without power there is nobody who would see it."""
        began = time.monotonic()
        self.server.freeze()
        self.disk.cut()
        self.server.kill_all()
        self.disk.unmount()
        self.disk.mount()
        self.machine.boot()
        self.server.start()
        self.outages.append((began, time.monotonic()))


def storm_powercut(options, totals):
    reason = why_not()
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(SKIPPED)
    rng = random.Random(options.seed)
    with PowerArena(options, totals, seed="powercut") as arena:
        arena.load.both_die = True
        while totals.kills < options.times and not options.is_over():
            time.sleep(rng.uniform(0.05, 0.6))
            arena.power_cut()
            totals.kills += 1
        arena.judge()
