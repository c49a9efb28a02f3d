"""A webcam as a clip without an end."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Generator, Iterator
from threading import Event, Thread

from spgnet.errors import InputError
from spgnet.extras import import_extra
from spgnet.video.files import decode_frames, first_frame, to_rgb
from spgnet.video.frames import Frame, FrameSource

DRIVERS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


class Webcam(FrameSource):
    """A webcam by its number, from 0. It is opened at once and closed when iteration ends.

    Raises:
        InputError: webcams are not supported on this system, or this one cannot be opened.
    """

    is_live = True

    def __init__(self, number: int) -> None:
        self.name = f"webcam {number}"
        av = import_extra("av", "video")
        driver = DRIVERS.get(sys.platform)
        if driver is None:
            raise InputError(f"{self.name}: webcams are supported on Linux, macOS and Windows only")
        try:
            self._container = av.open(_device(driver, number), format=driver)
            self._stream = self._container.streams.video[0]
            image = to_rgb(first_frame(self._container, self._stream))
        except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
            raise InputError(
                f"{self.name}: cannot be opened ({error}); is one connected, allowed for this program, "
                "and not in use by another?"
            ) from None
        self.image_size = (image.shape[1], image.shape[0])
        self.fps = float(self._stream.average_rate or 30)
        self.warnings = []
        self.description = f"{self.name}: {image.shape[1]} x {image.shape[0]}, {self.fps:g} frames/s"

    def __iter__(self) -> Iterator[Frame]:
        return newest_frames(self._frames())

    def _frames(self) -> Generator[Frame, None, None]:
        start, last = None, -1.0
        with self._container as container:
            for frame in decode_frames(container, self._stream, self.warnings):
                start = frame.time if start is None else start
                if (time := frame.time - start) > last:
                    last = time
                    yield Frame(to_rgb(frame, self._stream.sample_aspect_ratio), time)


def newest_frames(frames: Generator[Frame, None, None]) -> Iterator[Frame]:
    """Iterate over the newest frames, read in a thread, so that a slow consumer skips frames.

    An exception raised by `frames` is raised here.
    """
    slot: deque[Frame] = deque(maxlen=1)
    failure: list[Exception] = []
    changed, stop = Event(), Event()

    def read() -> None:
        try:
            for frame in frames:
                if stop.is_set():
                    return
                slot.append(frame)
                changed.set()
        except Exception as error:  # raised again in the consumer's thread
            failure.append(error)
        finally:
            frames.close()
            stop.set()
            changed.set()

    thread = Thread(target=read, daemon=True)
    thread.start()
    try:
        while True:
            while not changed.wait(timeout=0.5):  # with a timeout, as an endless wait may block Ctrl-C
                pass
            changed.clear()
            ended = stop.is_set()
            if slot:
                yield slot.pop()
            if ended:
                break
    finally:
        stop.set()
        thread.join(timeout=2)
    if failure:
        raise failure[0]


def _device(driver: str, number: int) -> str:
    """The driver's name for a webcam by its number.

    Raises:
        InputError: the system lists no webcam of that number.
    """
    if driver == "v4l2":
        return f"/dev/video{number}"
    if driver == "avfoundation":
        return str(number)
    from av.device import enumerate_input_devices

    cameras = [device for device in enumerate_input_devices(driver) if "video" in device.media_types]
    if number >= len(cameras):
        raise InputError(f"this system lists {len(cameras)} webcams")
    return f"video={cameras[number].name}"
