"""Every command to the engine and every event from it: the one contract between app, engine and tests.

All are msgspec tagged unions, so one encoder serves the socket and the in-process form. Nothing here
imports torch. Pixels travel as raw RGB bytes, row by row from the top left.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import msgspec

from sdcore.engine.messages.commands import (  # noqa: F401 - everybody imports them from here
    Cancel,
    Command,
    CompareTraces,
    EditJob,
    ForkPoint,
    Generate,
    GetStatus,
    GetView,
    HoldJobs,
    ListAddons,
    ListModels,
    ListVaes,
    LoadModel,
    MoveJob,
    OpenTrace,
    PauseQueue,
    PlanSchedule,
    RemoveJobs,
    RetryJobs,
    RunForever,
    SaveTrace,
    SetPreview,
    Shutdown,
)
from sdcore.engine.messages.events import (  # noqa: F401 - as above
    AddonsFound,
    Compared,
    EngineFailed,
    EngineReady,
    EngineStarting,
    Event,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobKept,
    JobNotice,
    JobPreview,
    JobProgress,
    JobQueued,
    JobStalled,
    JobStarted,
    ModelFailed,
    ModelLoaded,
    ModelLoading,
    ModelsFound,
    QueueState,
    SavedImage,
    SchedulePlanned,
    Status,
    TraceFailed,
    TraceOpened,
    TraceSaved,
    VaesFound,
    ViewReady,
)
from sdcore.engine.messages.files import (
    BringFile,
    FileBrought,
    FilePart,
    GetFile,
    InputTaken,
    LineBack,
    LineLost,
    PutInput,
)
from sdcore.engine.messages.library import (  # noqa: F401 - as above
    AddFolder,
    FindImages,
    GetImages,
    GetLists,
    GetPicture,
    GetTexts,
    GetThumbs,
    ImagesFound,
    ImagesKnown,
    ImagesThrown,
    KeepSearch,
    LibraryChanged,
    LibraryCommand,
    LibraryDone,
    LibraryEvent,
    LibraryLists,
    MakeSheet,
    MarkImages,
    RestoreImages,
    TextsRead,
    ThrowImages,
    ThumbMade,
    WatchLibrary,
)

PROTOCOL: Final = 7
"""Raised by one whenever a message changes its meaning; the two sides refuse each other if they differ."""


AnyCommand = (
    Generate
    | Cancel
    | MoveJob
    | EditJob
    | HoldJobs
    | RetryJobs
    | RemoveJobs
    | PauseQueue
    | RunForever
    | LoadModel
    | PlanSchedule
    | SetPreview
    | OpenTrace
    | GetView
    | CompareTraces
    | SaveTrace
    | ListModels
    | ListAddons
    | ListVaes
    | GetStatus
    | GetFile
    | PutInput
    | BringFile
    | WatchLibrary
    | FindImages
    | GetImages
    | GetTexts
    | GetThumbs
    | GetPicture
    | GetLists
    | MarkImages
    | ThrowImages
    | RestoreImages
    | KeepSearch
    | AddFolder
    | MakeSheet
    | Shutdown
)
AnyEvent = (
    EngineStarting
    | EngineReady
    | EngineFailed
    | ModelLoading
    | ModelLoaded
    | ModelFailed
    | JobQueued
    | JobStarted
    | JobProgress
    | JobPreview
    | JobFinished
    | JobCancelled
    | JobFailed
    | JobNotice
    | JobStalled
    | JobKept
    | QueueState
    | SchedulePlanned
    | TraceOpened
    | TraceFailed
    | ViewReady
    | Compared
    | TraceSaved
    | ModelsFound
    | AddonsFound
    | VaesFound
    | Status
    | FilePart
    | InputTaken
    | FileBrought
    | LibraryChanged
    | ImagesFound
    | ImagesKnown
    | TextsRead
    | ThumbMade
    | LibraryLists
    | ImagesThrown
    | LibraryDone
    | LineLost
    | LineBack
)

LATEST_ONLY: Final = (
    JobProgress, JobPreview, ModelLoading, EngineStarting, QueueState, SchedulePlanned, Status, LibraryChanged
)  # fmt: skip
"""Events of which a slow client gets the newest alone (see `coalesce`); every other one is delivered."""

LIVE: Final = (JobProgress, JobPreview)
"""Events that come many times a second, and of which some ten a second are as good as all."""


def slot(event: AnyEvent) -> Hashable | None:
    """What events have in common of which the newer stands for the older; None if all must be delivered."""
    if not isinstance(event, LATEST_ONLY):
        return None
    return type(event), getattr(event, "job", None), getattr(event, "image", None)


def coalesce(older: AnyEvent, newer: AnyEvent) -> AnyEvent | None:
    """The one event that stands for both when `older` is not yet delivered; None if both must be delivered.

    Two progress events of a job join their times. Other kinds in `LATEST_ONLY` keep the newer of the same
    job; previews, of the same image of its batch.
    """
    if slot(newer) is None or slot(older) != slot(newer):
        return None
    if isinstance(newer, JobProgress) and isinstance(older, JobProgress):
        return msgspec.structs.replace(newer, seconds=older.seconds + newer.seconds)
    return newer


_ENCODER: Final = msgspec.msgpack.Encoder()
_COMMANDS: Final = msgspec.msgpack.Decoder(AnyCommand)
_EVENTS: Final = msgspec.msgpack.Decoder(AnyEvent)


def encode(message: AnyCommand | AnyEvent) -> bytes:
    """One message as msgpack bytes."""
    return _ENCODER.encode(message)


def decode_command(data: bytes) -> AnyCommand:
    """The command in `data`; raises `msgspec.DecodeError` (or its `ValidationError`) if it holds none."""
    return _COMMANDS.decode(data)


def decode_event(data: bytes) -> AnyEvent:
    """The event in `data`; raises `msgspec.DecodeError` (or its `ValidationError`) if it holds none."""
    return _EVENTS.decode(data)
