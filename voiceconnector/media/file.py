"""An open file as the relay's sinks see it."""

from typing import Protocol


class File(Protocol):
    """The part of an unbuffered file used by sinks."""

    def write(self, data: bytes | bytearray | memoryview, /) -> int | None: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def close(self) -> None: ...


def write_whole(file: File, data: bytes | bytearray | memoryview) -> None:
    """OSError too when not all of it was written, which is how a disk that fills up shows first."""
    written = file.write(data)
    if written != len(data):
        raise OSError(f"only {written} of {len(data)} bytes could be written")
