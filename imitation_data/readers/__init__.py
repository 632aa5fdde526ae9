"""Readers of raw formats, and the table of the names a recipe may use for them."""

from collections.abc import Mapping

from imitation_data.readers.alpaca import Alpaca
from imitation_data.readers.chatgpt_export import ChatGPTExport
from imitation_data.readers.columns import Columns
from imitation_data.readers.discord import Discord
from imitation_data.readers.files import SourceFile, find_files
from imitation_data.readers.hc3 import HC3
from imitation_data.readers.lmsys import Lmsys
from imitation_data.readers.messages import Messages
from imitation_data.readers.oasst import OpenAssistant
from imitation_data.readers.reader import Reader, read
from imitation_data.readers.record import BadRecord, Record
from imitation_data.readers.sharegpt import ShareGPT
from imitation_data.readers.wildchat import WildChat

READERS: Mapping[str, type[Reader]] = {
    "sharegpt": ShareGPT,
    "hc3": HC3,
    "discord": Discord,
    "chatgpt_export": ChatGPTExport,
    "alpaca": Alpaca,
    "messages": Messages,
    "oasst": OpenAssistant,
    "wildchat": WildChat,
    "lmsys": Lmsys,
    "columns": Columns,
}

__all__ = ["READERS", "BadRecord", "Reader", "Record", "SourceFile", "find_files", "read"]
