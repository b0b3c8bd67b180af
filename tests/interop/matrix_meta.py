"""A Parquet file's footer, page headers, page index and bloom filter headers, read by code of its own (the thrift compact protocol in forty
lines), and held against the rows: counts, bounds and their exactness, orders of pages, histograms, sizes, checksums, encodings.
"""
import struct
import zlib

UNIT = {"ms": 10 ** 6, "us": 10 ** 3, "ns": 1}
# The encoding of data pages by physical type, where one was asked for (matrix.c, ways).
ASKED = {
    "plain": {t: 0 for t in range(8)}, "dictionary": {t: 8 if t else 3 for t in range(8)}, "delta": {0: 3, 1: 5, 2: 5, 6: 7},
    "split": {0: 3, 4: 9, 5: 9, 6: 6}, "split_int": {1: 9, 2: 9}, "split_fixed": {7: 9}, "delta_fixed": {7: 7},
}


# ---- thrift: structs as dicts by field id ----

def varint(b, at):
    v = shift = 0
    while True:
        v |= (b[at] & 127) << shift
        shift += 7
        at += 1
        if not b[at - 1] & 128:
            return v, at


def zigzag(b, at):
    v, at = varint(b, at)
    return v >> 1 ^ -(v & 1), at


def value(b, at, kind):
    if kind in (1, 2):
        return kind == 1, at
    if kind == 3:
        return b[at], at + 1
    if kind in (4, 5, 6):
        return zigzag(b, at)
    if kind == 7:
        return struct.unpack_from("<d", b, at)[0], at + 8
    if kind == 8:
        n, at = varint(b, at)
        return bytes(b[at:at + n]), at + n
    if kind == 9:
        n, kind, at = b[at] >> 4, b[at] & 15, at + 1
        if n == 15:
            n, at = varint(b, at)
        out = []
        for _ in range(n):
            if kind in (1, 2):
                v, at = b[at] == 1, at + 1
            else:
                v, at = value(b, at, kind)
            out.append(v)
        return out, at
    assert kind == 12, kind
    return thrift(b, at)


def thrift(b, at):
    out, field = {}, 0
    while b[at]:
        delta, kind, at = b[at] >> 4, b[at] & 15, at + 1
        if delta:
            field += delta
        else:
            field, at = zigzag(b, at)
        out[field], at = value(b, at, kind)
    return out, at + 1


# ---- values ----

def present(v, path):
    """The values that a leaf has in one row, by its path in the schema."""
    if v is None:
        return
    if not path:
        yield v
    elif path[0] == "list":
        for x in v:
            yield from present(x, path[2:])
    elif path[0] == "key_value":
        for k, x in v:
            yield from present(k if path[1] == "key" else x, path[2:])
    else:
        yield from present(v[path[0]], path[1:])


def ordered(name, v):
    """A plain value (matrix_rows.py) as something that sorts as the format says, and from which bytes can be told."""
    if name in ("bin", "fix", "uuid"):
        return bytes.fromhex(v)
    if name in ("str", "word", "key"):
        return v.encode() if isinstance(v, str) else v
    if name[0] == "f" and name[1:].isdigit():
        return float.fromhex(v)
    if name[0] == "d" and name[1:].isdigit():
        sign, digits, _ = v.as_tuple()  # all have the digits of their scale
        return int("".join(map(str, digits))) * (-1 if sign else 1)
    if name[:2] in ("t_", "ts", "tl"):
        return v // UNIT[name[-2:]]
    return v


def from_bytes(name, b):
    if name in ("bin", "fix", "uuid", "str", "word", "json") or (name == "key" and len(b) != 4):
        return b
    if name[0] == "f":
        return struct.unpack({2: "<e", 4: "<f", 8: "<d"}[len(b)], b)[0]
    if name == "yes":
        return b == b"\1"
    if name == "d38":
        return int.from_bytes(b, "big", signed=True)
    return int.from_bytes(b, "little", signed=name[0] != "u")


def leaf_name(path):
    names = [p for p in path if p not in ("list", "element", "key_value", "value")]
    if path[-1] == "key":
        return "key"
    return {"lists": "i64", "m": "day", "pairs": "str"}.get(names[-1], names[-1])


class Leaf:
    """The values of a leaf by rows, with what their bounds must be."""

    def __init__(self, columns, path):
        self.name = leaf_name(path)
        self.rows = [list(present(v, path[1:])) for v in columns[path[0]]]
        self.memo = {}

    def facts(self, start, end):
        """Count, NaNs, least, greatest and bytes of rows [start, end)."""
        if (start, end) not in self.memo:
            plain = [v for row in self.rows[start:end] for v in row]
            nans = plain.count("nan") if self.name[0] == "f" else 0
            size = sum(len(v.encode() if isinstance(v, str) and self.name in ("str", "word", "key") else v) // (2 if self.name == "bin" else 1)
                       for v in plain) if self.name in ("str", "word", "bin", "key") and plain and isinstance(plain[0], str) else None
            if self.name in ("json", "iv"):
                least = most = None
            else:
                values = [ordered(self.name, v) for v in plain if v != "nan"]
                least, most = (min(values), max(values)) if values else (None, None)
            self.memo[start, end] = (len(plain), nans, least, most, size)
        return self.memo[start, end]


# ---- checks ----

class Checker:
    def __init__(self, faults, where):
        self.faults, self.where = faults, where

    def want(self, good, words):
        if not good:
            self.faults["%s: %s" % (self.where, words)] += 1

    def bound(self, name, b, exact, want, is_max):
        got = from_bytes(name, b)
        if exact or exact is None:
            self.want(got == want, "%s is %r, not %r" % ("max" if is_max else "min", got, want))
        else:
            self.want((got > want if is_max else got < want) and len(b) <= 72, "cut bound %r of %r" % (got, want))
            if name == "str":
                b.decode()  # must be text
        if name[0] == "f" and got == 0:
            self.want(str(got) == ("0.0" if is_max else "-0.0"), "zero's sign as %s: %r" % ("max" if is_max else "min", got))


def check_statistics(c, m, leaf, start, end):
    s = m[12]
    n, nans, least, most, size = leaf.facts(start, end)
    c.want(s[3] == m[5] - n, "null count %d, not %d" % (s[3], m[5] - n))
    c.want(s.get(9) == (nans if leaf.name[0] == "f" and leaf.name != "fix" else None), "nan count %s, not %d" % (s.get(9), nans))
    c.want(1 not in s and 2 not in s, "deprecated bounds")
    if leaf.name == "json":
        c.want((5 in s) == (n > 0) and (n == 0 or s[6] <= s[5]), "bounds of JSON")
    elif leaf.name in ("iv", "none") or least is None:
        c.want(5 not in s and 6 not in s, "bounds without values or order")
    else:
        c.bound(leaf.name, s[6], s.get(8), least, False)
        c.bound(leaf.name, s[5], s.get(7), most, True)
    if size is not None:
        c.want(m[16][1] == size, "unencoded bytes %s, not %d" % (m[16].get(1), size))
    for field, name in ((2, "repetition"), (3, "definition")):
        if field in m.get(16, {}):
            c.want(sum(m[16][field]) == m[5], name + " histogram")
    if 3 in m.get(16, {}):
        c.want(m[16][3][-1] == n, "definition histogram ends with %d, not %d" % (m[16][3][-1], n))


def check_page(c, data, place, asked, is_v2, crc_wanted):
    """Header and checksum of a page; returns the header and where the next one would be."""
    h, at = thrift(data, place)
    body = data[at:at + h[3]]
    c.want((4 in h) == crc_wanted, "checksum there or not")
    if 4 in h:
        c.want(zlib.crc32(body) == h[4] & 0xffffffff, "checksum")
    if h[1] in (0, 3):
        c.want(h[1] == (3 if is_v2 else 0), "page version")
        encoding = h[8][4] if is_v2 else h[5][2]
        c.want(asked is None or encoding == asked, "encoding %d, not %s" % (encoding, asked))
    return h, at + h[3]


def check_pages(c, data, chunk, leaf, start, way, is_v2, rows_of_group):
    m = chunk[3]
    first = min(m[9], m.get(11, m[9]))
    offsets, _ = thrift(data, chunk[4])
    index = thrift(data, chunk[6])[0] if 6 in chunk else None
    places, total, at, headers = offsets[1], 0, first, []
    asked = ASKED.get(way, {}).get(m[1]) if leaf.name != "none" else None
    while at < first + m[7]:
        h, after = check_page(c, data, at, asked, is_v2, way != "plain")
        if h[1] != 2:
            place = places[len(headers)]
            c.want(place[1] == at and place[2] == after - at, "place of a page")
            headers.append(h)
            total += (h[8] if is_v2 else h[5])[1]
        else:
            c.want(m.get(11) == at, "dictionary page where the footer says")
        at = after
    c.want(at == first + m[7] and total == m[5] and len(headers) == len(places), "pages make up the chunk")
    c.want(sum(s[3] for s in m[13]) == len(headers) + (11 in m), "page encoding stats")
    rows = [p[3] for p in places] + [rows_of_group]
    c.want(rows[0] == 0 and all(a < b for a, b in zip(rows, rows[1:])), "first rows of pages")
    orderless = leaf.name in ("iv", "none")
    if index is None:
        whole_nan = any(f[0] and f[2] is None for f in (leaf.facts(start + a, start + b) for a, b in zip(rows, rows[1:])))
        c.want(orderless or whole_nan, "no column index")
        return
    bounds = []
    for i, (a, b) in enumerate(zip(rows, rows[1:])):
        n, nans, least, most, size = leaf.facts(start + a, start + b)
        c.want(index[1][i] == (n == 0) and index[5][i] == (headers[i][8] if is_v2 else headers[i][5])[1] - n, "nulls of a page")
        if 8 in index:
            c.want(index[8][i] == nans, "NaNs of a page")
        if is_v2:
            c.want(headers[i][8][3] == b - a and headers[i][8][2] == index[5][i], "rows and nulls in a page header")
        if size is not None and 2 in offsets:
            c.want(offsets[2][i] == size, "unencoded bytes of a page")
        if n == 0:
            c.want(index[2][i] == index[3][i] == b"", "bounds of a page of nulls")
        elif leaf.name != "json":
            low, high = from_bytes(leaf.name, index[2][i]), from_bytes(leaf.name, index[3][i])
            c.want(low <= least and most <= high and (len(index[2][i]) < 60 <= 72 or low[:60] == least[:60]), "bounds of a page")
            c.want(len(index[3][i]) >= 60 or high == most, "greatest of a page")
            bounds.append((low, high))
    up = all(a[0] <= b[0] and a[1] <= b[1] for a, b in zip(bounds, bounds[1:]))
    down = all(a[0] >= b[0] and a[1] >= b[1] for a, b in zip(bounds, bounds[1:]))
    if leaf.name != "json":
        c.want(index[4] == (1 if up else 2 if down else 0), "order of pages %d" % index[4])
    for field, total in ((6, m.get(16, {}).get(2)), (7, m.get(16, {}).get(3))):
        if total is not None:
            parts = [index[field][i:i + len(total)] for i in range(0, len(index[field]), len(total))]
            c.want([sum(x) for x in zip(*parts)] == total and len(parts) == len(places), "histograms of pages")


LEAVES = {}  # of the shape at hand


def check(path, shape, way, columns, faults):
    """Adds what is wrong with a file's metadata to the counter."""
    data = memoryview(open(path, "rb").read())
    n = int.from_bytes(data[-8:-4], "little")
    footer, end = thrift(data, len(data) - 8 - n)
    name = path.rsplit("/", 1)[1]
    c = Checker(faults, name)
    c.want(end == len(data) - 8 and footer[1] == 1 and footer[3] == len(columns["id"]), "footer")
    leaves = sum(5 not in e for e in footer[2])
    c.want(len(footer[7]) == leaves and all(o == {1: {}} for o in footer[7]), "column orders")
    if LEAVES.get("shape") != shape:
        LEAVES.clear()
        LEAVES["shape"] = shape
    start = 0
    for number, g in enumerate(footer[4]):
        c.where = name
        c.want(g[2] == sum(x[3][6] for x in g[1]) and g[6] == sum(x[3][7] for x in g[1]) and g[7] == number, "sizes of a row group")
        for chunk in g[1]:
            m = chunk[3]
            where = tuple(p.decode() for p in m[3])
            c.where = "%s %s" % (name, ".".join(where))
            leaf = LEAVES.setdefault(where, None) or Leaf(columns, where)
            LEAVES[where] = leaf
            check_statistics(c, m, leaf, start, start + g[3])
            check_pages(c, data, chunk, leaf, start, way, name.endswith("v2.parquet"), g[3])
            if 14 in m:
                h, at = thrift(data, m[14])
                c.want(h[1] % 32 == 0 and at + h[1] == m[14] + m[15], "bloom filter's size")
            c.want((14 in m) == (way == "delta" and m[1] in (1, 2, 6)), "bloom filter there or not")
        start += g[3]
