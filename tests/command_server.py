"""The commands in processes that are forked from one where everything is imported, which takes a tenth of the time of a start.

Such a process has its own arguments, working folder, standard streams and exit status, and runs the same entry points as an
installed command. Where the start itself matters, tests start the installed commands. `UPSCALE_TESTS_START=1` starts all.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback

#: Seconds after which a command is taken to hang.
TIMEOUT = 300
#: What the commands import when they are run; Numba is not among it, for it must not have been started before a fork.
_IMPORTED = (
    *("upscale.commands.enlarge", "upscale.commands.learn", "upscale.commands.kernel", "upscale.commands.compare"),
    *("upscale.batch.local", "upscale.batch.run_task", "upscale.batch.enlarge_frames", "upscale.batch.worker_process"),
    *("upscale.pictures.png.png_reader", "upscale.pictures.png.png_writer", "upscale.pictures.pillow_formats"),
    *("upscale.pictures.tiff.tiff_reader", "upscale.pictures.tiff.tiff_writer", "upscale.pictures.gif.gif_reader"),
    *("upscale.operators.enlarge_picture", "upscale.kernels.read_files", "upscale.kernels.write_files"),
    *("PIL.Image", "PIL.ImageOps", "imagecodecs", "tifffile", "zlib_ng.zlib_ng"),
)
_ENTRY_POINTS = {"upscale": "main", "upscale-learn": "learn", "upscale-kernel": "kernel", "upscale-compare": "compare"}


class CommandServer:
    """A process that forks one command after another; it is started with the first of them."""

    def __init__(self):
        self._socket = None

    def run(self, name, arguments, *, cwd=None, stdin=None):
        """Run a command as `subprocess.run` does; standard output and standard error are bytes."""
        if self._socket is None:
            self._start()
        arguments = [name, *map(str, arguments)]
        mask = os.umask(0)
        os.umask(mask)
        request = json.dumps([arguments, os.fspath(cwd) if cwd is not None else os.getcwd(), mask]).encode()
        pipes = [os.pipe() for _ in range(3)]
        theirs, ours = [pipes[0][0], pipes[1][1], pipes[2][1]], [pipes[0][1], pipes[1][0], pipes[2][0]]
        socket.send_fds(self._socket, [request], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        texts = [b"", b""]

        def read(number):
            with open(ours[number + 1], "rb") as stream:
                texts[number] = stream.read()

        readers = [threading.Thread(target=read, args=(number,)) for number in range(2)]
        for reader in readers:
            reader.start()
        # A command that does not read its input closes the pipe, and that is no failure.
        with contextlib.suppress(BrokenPipeError), open(ours[0], "wb") as stream:
            stream.write(stdin or b"")
        try:
            status = int(self._socket.recv(100))
        except TimeoutError:
            self._process.kill()
            self._socket = None
            raise subprocess.TimeoutExpired(arguments, TIMEOUT) from None
        for reader in readers:
            reader.join()
        return subprocess.CompletedProcess(arguments, status, *texts)

    def _start(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, __file__, str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        ours.settimeout(TIMEOUT)
        self._socket = ours


def available():
    """Return whether commands can be forked here, and are to be."""
    return hasattr(os, "fork") and hasattr(socket, "SOCK_SEQPACKET") and not os.environ.get("UPSCALE_TESTS_START")


def serve(connection):
    """Import what the commands need, and fork one for each request until nobody is left to send any."""
    import importlib

    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # or a thread of it would be lost in the forks
    for module in _IMPORTED:
        importlib.import_module(module)
    while True:
        request, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
        if not request:
            return
        child = os.fork()
        if not child:
            connection.close()
            _run(*json.loads(request), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _run(arguments, folder, mask, descriptors):
    """Become a command."""
    import upscale.__main__

    try:
        for standard, descriptor in enumerate(descriptors):
            os.dup2(descriptor, standard)
            os.close(descriptor)
        os.chdir(folder)
        os.umask(mask)
        sys.argv = arguments
        getattr(upscale.__main__, _ENTRY_POINTS[arguments[0]])()
    except BaseException:
        traceback.print_exc()
    os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    serve(socket.socket(fileno=int(sys.argv[1])))
