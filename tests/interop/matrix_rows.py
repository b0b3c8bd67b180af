"""The rows of the matrix (matrix.c) in one plain form, whichever way they were read: numbers, bytes as hex, days, nanoseconds.

What a field is called tells its type (matrix.c, kinds); a field inside lists or maps keeps the name of its column.
"""
import base64
import datetime
import json
import math
import re
import uuid
from decimal import Decimal

SHAPES = ["required", "nulls", "lists", "structs", "maps", "deep", "intervals"]
WAYS = ["auto", "plain", "dictionary", "delta", "split"]
RARE = ["split_int", "split_fixed", "delta_fixed"]  # of required and nulls only
UNIT = {"ms": 10 ** 6, "us": 10 ** 3, "ns": 1}
INTS = ("id", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "lists")
EPOCH = datetime.date(1970, 1, 1)


class Json(str):
    """A JSON column's value, already in its plain form."""


def nanoseconds(clock):
    h, m, s = clock.split(":")
    whole, _, fraction = s.partition(".")
    return (int(h) * 3600 + int(m) * 60 + int(whole)) * 10 ** 9 + int(fraction.ljust(9, "0") or 0)


def days(text):
    return (datetime.date.fromisoformat(text) - EPOCH).days


def from_text(name, v):
    """A scalar of our own NDJSON."""
    if isinstance(v, Json):
        return str(v)
    if name in INTS:
        return int(v)
    if name[0] == "f" and name != "fix":
        return "nan" if v == "NaN" else float(v).hex()
    if name[0] == "d" and name != "day":
        return Decimal(v)
    if name in ("bin", "fix"):
        return base64.b64decode(v).hex()
    if name == "uuid":
        return uuid.UUID(v).hex
    if name == "day":
        return days(v)
    if name[:2] == "t_":
        return nanoseconds(v)
    if name[:2] in ("ts", "tl"):
        return days(v[:10]) * 86400 * 10 ** 9 + nanoseconds(v[11:].rstrip("Z"))
    if name == "iv":
        months, d, seconds, ms = map(int, re.fullmatch(r"P(\d+)M(\d+)DT(\d+)\.(\d+)S", v).groups())
        return (months, d, seconds * 1000 + ms)
    return v


def from_peer(name, v):
    """A scalar of another engine; dates come as days, times as nanoseconds."""
    if name == "json":
        return json.dumps(json.loads(v))
    if name in INTS or name == "day" or name[:2] in ("t_", "ts", "tl"):
        return int(v)
    if name[0] == "f" and name != "fix":
        return "nan" if math.isnan(v) else float(v).hex()
    if name[0] == "d":
        return Decimal(v)
    if name in ("bin", "fix"):
        return bytes(v).hex()
    if name == "uuid":
        return uuid.UUID(v).hex if isinstance(v, str) else v.hex if isinstance(v, uuid.UUID) else bytes(v).hex()
    if name == "word":
        return v if isinstance(v, str) else bytes(v).decode()
    if name == "iv":
        if isinstance(v, bytes):
            return tuple(int.from_bytes(v[i:i + 4], "little") for i in (0, 4, 8))
        return (v.months, v.days, v.nanoseconds // 10 ** 6)
    return v


def walk(leaf, shape, name, v, top=True):
    """A value of any depth: lists, dicts for structs, lists of pairs for maps."""
    if v is None:
        return None
    if (shape == "maps" and top and name != "id") or (shape == "deep" and name in ("m", "pairs")):
        pairs = v.items() if isinstance(v, dict) else [(p["key"], p["value"]) if isinstance(p, dict) else p for p in v]
        inner = {"m": "day", "pairs": "str"}.get(name, name)
        return [[k, walk(leaf, shape, inner, x, False)] for k, x in pairs]
    if isinstance(v, dict):
        return {k: walk(leaf, shape, k, x, False) for k, x in v.items()}
    if isinstance(v, list):
        return [walk(leaf, shape, name, x, False) for x in v]
    return leaf(name, v)


def plain_json(v, column):
    """JSON values below a column `json` become text, so that what remains are the lists, structs and maps around them."""
    if column != "json":
        return v
    if isinstance(v, list):
        return [plain_json(x, column) for x in v]
    if isinstance(v, dict) and "k" not in v:
        return {k: plain_json(x, column) for k, x in v.items()}
    return None if v is None else Json(json.dumps(v, default=float))


def read_ours(folder, shape):
    """Column name -> values, from the NDJSON."""
    columns = {}
    with open("%s/%s.ndjson" % (folder, shape), encoding="utf-8") as f:
        for line in f:
            for k, v in json.loads(line, parse_float=Decimal).items():
                columns.setdefault(k, []).append(walk(from_text, shape, k, plain_json(v, k)))
    return columns
