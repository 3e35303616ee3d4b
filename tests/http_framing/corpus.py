"""Every stream, each with an id of its own."""

from http_framing.chunks import chunks
from http_framing.lengths import lengths
from http_framing.lines import lines
from http_framing.sequences import sequences
from http_framing.stream import Stream

CORPUS: tuple[Stream, ...] = (*lengths(), *chunks(), *lines(), *sequences())
