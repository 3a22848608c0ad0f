"""Call sites, and the stacks that lead to them.

Frames have the names that the report has: those of Python and the like always, those of compiled code after `weir symbolize`. A frame
without a name is its object and an offset, such as `libz.so.1+0x4f2a`, as in `weir report`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from .columns import OF_IMAGE, NUMBER, numbers, text

Json = dict[str, Any]
Row = list[Any]

SITES = {
    **OF_IMAGE,
    **numbers("site"),
    **text("function"),
    **numbers("calls", "errors", "requested_bytes", "moved_bytes", "time_ns"),
    **numbers("live_blocks", "live_bytes", "live_bytes_at_peak", "temporary_blocks"),
    **numbers("freed_blocks", "freed_total_ns", "sampled_bytes", "frames"),
    **text("caller", "file"),
    "line": NUMBER,
    **text("stack"),
}
STACKS = {
    **OF_IMAGE,
    **numbers("site", "depth"),
    **text("caller", "file"),
    **numbers("line", "inlined"),
    **text("object"),
    **numbers("offset"),
}


class Place(NamedTuple):
    """A function that made a call, or in which another one is inlined that did."""

    name: str
    file: Optional[str]
    line: Optional[int]
    # How many functions there are between this one and the innermost one's code.
    inlined: int
    object: Optional[str]
    offset: int


class Frames:
    """The frames of a process image."""

    def __init__(self, stacks: Json):
        self.sampled_bytes: Optional[int] = stacks.get("sampled_bytes")
        self.modules = stacks["modules"]
        self.frames = stacks["frames"]
        self.names = [{name["offset"]: name["places"] for name in of.get("names", [])} for of in self.modules]
        self.known: dict[int, list[Place]] = {}

    def chain(self, index: Optional[int]) -> Iterator[int]:
        """The frames of a stack, the innermost first."""
        while index is not None:
            if not 0 <= index < len(self.frames):
                raise ValueError(f"there is no frame {index}")
            caller = self.frames[index].get("parent")
            # So each stack has an end.
            if caller is not None and caller >= index:
                raise ValueError(f"the caller of frame {index} is no frame before it")
            yield index
            index = caller

    def places(self, index: int) -> list[Place]:
        """The functions of a frame, the innermost first."""
        if index not in self.known:
            self.known[index] = list(self.named(self.frames[index]))
        return self.known[index]

    def named(self, frame: Json) -> Iterator[Place]:
        """The same of a frame that nobody has asked for."""
        module, offset = frame.get("module"), frame["offset"]
        if module is None:
            yield Place(hex(offset), None, None, 0, None, offset)
            return
        if not 0 <= module < len(self.modules):
            raise ValueError(f"there is no module {module}")
        path = self.modules[module]["path"]
        nameless = f"{path.rstrip('/').rpartition('/')[2] or path}+{offset:#x}"
        for inlined, place in enumerate(self.names[module].get(offset) or [{}]):
            name = place.get("function", nameless)
            yield Place(name, place.get("file"), place.get("line"), inlined, path, offset)

    def stack(self, index: Optional[int]) -> list[Place]:
        """The functions of a stack, the innermost first."""
        return [place for frame in self.chain(index) for place in self.places(frame)]


def numbered(image: Json) -> Iterator[tuple[int, Json, Frames]]:
    """The call sites of a process image as the report has them, each with its number and all frames."""
    found = image.get("stacks")
    if found is None:
        return
    frames = Frames(found)
    for number, site in enumerate(found["sites"]):
        yield number, site, frames


def sites(image: Json) -> Iterator[Row]:
    """The call sites of a process image."""
    for number, site, frames in numbered(image):
        blocks, lifetimes = site.get("blocks"), site.get("lifetimes")
        places = frames.stack(site.get("frame"))
        innermost = places[0] if places else None
        yield [
            number,
            *(site[key] for key in ("function", "calls", "errors", "requested_bytes", "moved_bytes", "time_ns")),
            *(blocks[key] if blocks else None for key in ("live", "live_bytes", "live_bytes_at_peak", "temporary")),
            sum(lifetimes["freed"]) if lifetimes else None,
            lifetimes["freed_total_ns"] if lifetimes else None,
            # Only the sites of the heap are from samples.
            frames.sampled_bytes if blocks else None,
            sum(1 for _ in frames.chain(site.get("frame"))),
            *((innermost.name, innermost.file, innermost.line) if innermost else (None, None, None)),
            # Without what separates the functions.
            ";".join(place.name.replace(";", ":") for place in reversed(places)),
        ]


def stacks(image: Json) -> Iterator[Row]:
    """A row for each function of each call site's stack, the innermost first."""
    for number, site, frames in numbered(image):
        for depth, place in enumerate(frames.stack(site.get("frame"))):
            yield [number, depth, *place]
