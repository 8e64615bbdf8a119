"""A seccomp filter for the sandbox: the system calls that reach beyond it, or that no resource limit counts.

Namespaces and read-only mounts do not separate what the kernel keeps per user or for the whole machine: keys, System V and
POSIX message queues, tracing, asynchronous I/O, sockets between virtual machines. Files in memory and System V segments are
counted by no rlimit, and address space is limited per process, so a submission gets threads, but no further processes.

bubblewrap loads the filter just before it starts the worker (`--seccomp FD`): an array of `struct sock_filter`, classic BPF
over `struct seccomp_data` (linux/seccomp.h, linux/filter.h). Every instruction is 8 bytes; the numbers of the calls are
those of asm/unistd_64.h and asm-generic/unistd.h.
"""

import errno
import os
import struct

# name: (number on x86_64, number on aarch64)
DENIED = {
    # keys: the session's and the user's keyrings
    **{"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219)},
    # memory that no limit counts
    **{"shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197)},
    **{"memfd_create": (319, 279), "memfd_secret": (447, 447), "userfaultfd": (323, 282)},
    # semaphores and queues
    **{"semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192)},
    **{"msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187)},
    **{"mq_open": (240, 180), "mq_unlink": (241, 181), "mq_timedsend": (242, 182)},
    **{"mq_timedreceive": (243, 183), "mq_notify": (244, 184), "mq_getsetattr": (245, 185)},
    # asynchronous I/O, of which the whole machine has a limited number of requests (fs.aio-max-nr)
    **{"io_setup": (206, 0)},
    # other processes, and the kernel's own machinery
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
    **{"kcmp": (312, 272), "pidfd_getfd": (438, 438), "perf_event_open": (298, 241), "bpf": (321, 280)},
    **{"io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427)},
    # sockets of any family: the network, vsock, the kernel's cryptography; a socketpair is not denied
    **{"socket": (41, 198)},
    # mounts and namespaces
    **{"mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "unshare": (272, 97), "setns": (308, 268)},
    **{"open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431)},
    **{"fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442)},
    **{"open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "quotactl": (179, 60)},
    # the machine
    **{"syslog": (103, 116), "acct": (163, 89), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225)},
    **{"kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105)},
    **{"finit_module": (313, 273), "delete_module": (176, 106)},
}
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column of DENIED, and AUDIT_ARCH_*
FORKS = {"x86_64": (57, 58), "aarch64": ()}  # fork, vfork
CLONE, CLONE3, CLONE_THREAD = (56, 220), (435, 435), 0x10000
PRCTL, PR_SET_PDEATHSIG = (157, 167), 1
X32 = 0x40000000  # from here on, the numbers of x86_64's second calling convention

LOAD, JUMP_EQUAL, JUMP_FROM, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|J*|K, BPF_RET|K
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # byte offsets in struct seccomp_data, little-endian
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000  # SECCOMP_RET_*; FAIL | errno


def program(machine: str | None = None) -> bytes | None:
    """The filter's instructions for "x86_64" or "aarch64", by default this machine's; None for any other."""
    machine = machine or os.uname().machine
    if machine not in ARCHITECTURES:
        return None
    column, architecture = ARCHITECTURES[machine]
    refuse = (RETURN, 0, 0, FAIL | errno.EPERM)
    code = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),  # a call by the convention of another architecture, such as 32-bit x86
        (LOAD, 0, 0, NUMBER),
    ]
    if machine == "x86_64":
        code += [(JUMP_FROM, 0, 1, X32), refuse]
    for number in (*(numbers[column] for numbers in DENIED.values()), *FORKS[machine]):
        code += [(JUMP_EQUAL, 0, 1, number), refuse]
    # A worker cannot choose to outlive its grader.
    code += [(JUMP_EQUAL, 0, 4, PRCTL[column]), (LOAD, 0, 0, FIRST_ARGUMENT)]
    code += [(JUMP_EQUAL, 1, 0, PR_SET_PDEATHSIG), (RETURN, 0, 0, ALLOW), refuse]
    # clone3 keeps its flags in memory, where a filter cannot look. Where it does not exist, the C library uses clone.
    code += [(JUMP_EQUAL, 0, 1, CLONE3[column]), (RETURN, 0, 0, FAIL | errno.ENOSYS)]
    code += [(JUMP_EQUAL, 0, 3, CLONE[column]), (LOAD, 0, 0, FIRST_ARGUMENT), (JUMP_BITS, 1, 0, CLONE_THREAD), refuse]
    code += [(RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)
