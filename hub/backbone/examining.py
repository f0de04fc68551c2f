"""How NATS is set, as far as it can be seen from here, and what to do where that is not good enough for a feed."""

from __future__ import annotations

import asyncio
import ipaddress
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hub.backbone import settings as names
from hub.backbone.envelope import LARGEST
from hub.backbone.line import Line
from hub.backbone.settings import NatsSettings
from hub.backbone.stream import Seen, look
from hub.errors import FixData, HubError
from hub.sdk import exact_json

#: The stream is near to its limit above this part of it.
_FULL = 0.9
_MONITOR_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing that was looked at: how it is, what was found, and what to do where there is something to do."""

    name: str
    severity: Literal["ok", "note", "warn", "fail"]
    found: str
    advice: str = ""


async def examined(
    line: Line | None, settings: NatsSettings, environment: str, *, away: str | None = None
) -> list[Remark]:
    """Look at everything; `away` says why there is no connection."""
    found = [_connection(line, settings, away), *_way(settings), *_files(settings)]
    found += [of_sync(settings.monitors, await asyncio.to_thread(_asked, settings.monitors))]
    if line is not None:
        try:
            found += of_stream(await look(line, environment), settings)
            found += of_account(await line.ask("INFO"), largest=line.largest, copies=settings.wanted_replicas)
        except HubError as error:
            advice = "See that this user may publish to `$JS.API.>`, and that the servers have a leader."
            found.append(Remark(name="feed-stream", severity="warn", found=f"cannot be seen: {error}", advice=advice))
    return found


def of_account(told: Mapping[str, Any] | None, *, largest: int, copies: int) -> list[Remark]:
    """Judge what the account may keep where each message has so many copies, and how large one may be, in bytes."""
    found = []
    used, limit, kind = _room(told, copies)
    if limit == 0:
        advice = "Let the account keep streams in files: without one there is no feed."
        room = f"this account may keep nothing{kind}"
        found.append(Remark(name="nats-room", severity="fail", found=room, advice=advice))
    elif limit > 0 and used > _FULL * limit:
        room = f"{used / 1e6:,.0f} MB of {limit / 1e6:,.0f} MB are used{kind}"
        advice = f"Give the account more, or set {names.MAX_BYTES} below it: a full one takes no new facts."
        found.append(Remark(name="nats-room", severity="warn", found=room, advice=advice))
    else:
        bound = f" of {limit / 1e6:,.0f} MB{kind}" if limit > 0 else f"{kind}, no limit is set"
        found.append(Remark(name="nats-room", severity="ok", found=f"{used / 1e6:,.1f} MB used{bound}"))
    if largest < LARGEST:
        small = f"a message may have {largest:,} bytes"
        advice = (
            f"Larger payloads are told without their data; `max_payload` of {2 * LARGEST:,} takes all that are sent."
        )
        found.append(Remark(name="nats-payload", severity="note", found=small, advice=advice))
    return found


def _room(told: Mapping[str, Any] | None, copies: int) -> tuple[int, int, str]:
    """Give how many bytes an account has, how many it may have (-1: as many as it likes), and of what that is told."""
    if told is None:
        return 0, 0, ""
    if tiers := told.get("tiers"):
        # Each number of copies has a limit of its own then, of one copy, while all copies are counted.
        tier = tiers.get(f"R{copies}") or {"storage": 0, "limits": {"max_storage": 0}}
        limit = int(tier["limits"]["max_storage"])
        return int(tier["storage"]), limit if limit < 0 else limit * copies, f" in tier R{copies}"
    return int(told["storage"]), int(told["limits"]["max_storage"]), ""


def _connection(line: Line | None, settings: NatsSettings, away: str | None) -> Remark:
    if line is not None:
        return Remark(name="nats", severity="ok", found=f"connected to {line.place}, version {line.version}")
    advice = "Work is found by polling, and feeds wait in the outbox, until it answers: look at the servers."
    return Remark(name="nats", severity="warn", found=f"none of {settings.places} takes us: {away}", advice=advice)


def _way(settings: NatsSettings) -> list[Remark]:
    encrypted = [settings.encrypts(server) for server in settings.servers]
    open_ones = [
        server.place
        for server, closed in zip(settings.servers, encrypted, strict=True)
        if not (closed or _is_here(server.host))
    ]
    if open_ones:
        advice = f"Write tls:// in {names.SERVERS}, and name the authority's file in {names.AUTHORITY}."
        told = f"unencrypted: {', '.join(open_ones)}; payloads and passwords can be read on the way"
        return [Remark(name="nats-way", severity="warn", found=told, advice=advice)]
    found = "encrypted" if all(encrypted) else "on this machine alone"
    return [Remark(name="nats-way", severity="ok", found=found)]


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _files(settings: NatsSettings) -> list[Remark]:
    secret = [path for path in (settings.credentials, settings.key) if path is not None]
    open_ones = [str(path) for path in secret if path.exists() and path.stat().st_mode & 0o077]
    if not secret:
        return []
    if open_ones:
        told = f"others can read {', '.join(open_ones)}"
        advice = "Take the rights of others away: chmod 600."
        return [Remark(name="nats-files", severity="warn", found=told, advice=advice)]
    return [Remark(name="nats-files", severity="ok", found="credentials and keys are readable by this user alone")]


def of_sync(monitors: tuple[str, ...], answers: Mapping[str, Mapping[str, Any] | str]) -> Remark:
    """Judge how servers sync: of each monitoring address its `/varz`, or why it could not be asked."""
    name, setting = "nats-sync", "sync_interval: always"
    if not monitors:
        return Remark(
            name=name,
            severity="note",
            found="how the servers sync cannot be seen from here",
            advice=f"See to `{setting}` in their files; name their monitoring in {names.MONITOR} to have it checked.",
        )
    silent = [f"{place}: {said}" for place, said in answers.items() if isinstance(said, str)]
    without, lazy = [], []
    for place, said in answers.items():
        if isinstance(said, str):
            continue
        config = (said.get("jetstream") or {}).get("config")
        if config is None:
            without.append(place)
        elif config.get("sync_always") is not True:
            lazy.append(place)
    if without:
        told = f"JetStream is not on at {', '.join(without)}"
        return Remark(name=name, severity="fail", found=told, advice="Switch it on, with a folder for its files.")
    if lazy:
        told = f"not every message is synced before it is acknowledged at {', '.join(lazy)}"
        advice = f"Write `{setting}` into the servers' jetstream block: a power cut loses up to two minutes of a feed."
        return Remark(name=name, severity="warn", found=told, advice=f"{advice} The hub then tells it anew.")
    if silent:
        advice = f"See that {names.MONITOR} names them, and that they can be reached from here."
        return Remark(name=name, severity="warn", found=f"cannot be asked: {'; '.join(silent)}", advice=advice)
    more = "" if len(answers) > 1 else "; other servers of its cluster were not asked"
    return Remark(name=name, severity="ok", found=f"synced before it is acknowledged, at {len(answers)} servers{more}")


def _asked(monitors: tuple[str, ...]) -> dict[str, Mapping[str, Any] | str]:
    found: dict[str, Mapping[str, Any] | str] = {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for place in monitors:
        try:
            with opener.open(f"{place}/varz", timeout=_MONITOR_SECONDS) as answer:
                found[place] = exact_json.loads(answer.read())
        except (OSError, urllib.error.URLError, FixData, ValueError) as error:
            found[place] = str(getattr(error, "reason", error))[:200]
    return found


def of_stream(seen: Seen | None, settings: NatsSettings) -> list[Remark]:
    """Judge the stream of a feed against what is asked of it."""
    name = "feed-stream"
    if seen is None:
        advice = "A hub that serves makes it once it is connected; see its log for what keeps it from that."
        return [Remark(name=name, severity="warn", found="there is none", advice=advice)]
    config, wanted = seen.config, settings.wanted_replicas
    wrong = []
    if config.get("storage") != "file":
        wrong.append("it is kept in memory")
    if config.get("persist_mode") == "async":
        wrong.append("it is acknowledged before it is written")
    if config.get("no_ack"):
        wrong.append("nothing is acknowledged")
    if wrong:
        advice = "Delete the stream: the hub makes it anew, and publishes what the outbox keeps."
        return [Remark(name=name, severity="fail", found="; ".join(wrong), advice=advice)]
    replicas = int(config.get("num_replicas") or 1)
    told = f"{seen.messages:,} messages, {seen.size / 1e6:,.1f} MB, {seen.copies} of {replicas} copies current"
    found = []
    if replicas < wanted or seen.copies < replicas:
        advice = f"See that all servers run, and that {names.REPLICAS} is what the cluster can keep."
        found.append(Remark(name=name, severity="warn", found=f"{told}; {wanted} are asked for", advice=advice))
    else:
        found.append(Remark(name=name, severity="ok", found=told))
    if replicas == 1:
        advice = "Three servers keep it through the loss of one. What is lost, the hub publishes anew."
        found.append(Remark(name="feed-copies", severity="note", found="one server alone keeps it", advice=advice))
    largest = int(config.get("max_bytes") or -1)
    if largest > 0 and seen.size > _FULL * largest:
        advice = f"Raise {names.MAX_BYTES}: the oldest leave before {settings.kept.total_seconds() / 86_400:g} days."
        found.append(
            Remark(name="feed-size", severity="warn", found="the stream is as large as it may get", advice=advice)
        )
    return found
