#!/usr/bin/env python3
"""Reads the vectors of Tributary by crdt/FORMAT.md alone, with nothing but the standard library.

It shows that the format document is sufficient, and it is a decoder to start from in another language. It is written to
be compared with the text, not to be fast.

    reader.py [DIRECTORY]         checks all vectors and says which it had to skip
    reader.py FILE...             prints outcome and text of vectors

Exit code 1: some vector came out differently. Vectors marked "needs: zstd" are skipped where Python has no zstd (3.14 has).
"""

import base64
import json
import os
import struct
import sys

try:
    from compression import zstd  # Python 3.14
except ImportError:
    zstd = None

# Limits of the format.
MAX_BYTES, MAX_ROWS, MAX_TABLES, MAX_COLUMNS = 1 << 30, 1 << 26, 1 << 14, 2048
STARTS, FORGETS, BEFORE = 1 << 0, 1 << 4, 1 << 5  # flags
MAX_SITES, MAX_COVERS, MAX_NAME, MAX_CELLS = 1 << 16, 1 << 20, 4096, 1 << 20
MAX_VERSION, MAX_TIME = 1 << 62, (1 << 63) - 1


class Refused(Exception):
    """outcome is one of unsupported, corrupt, truncated, over-limit, missing-birth."""

    def __init__(self, outcome, why, text=""):
        super().__init__(why)
        self.outcome, self.text = outcome, text


class Skip(Exception):
    pass


def corrupt(ok, why):
    if not ok:
        raise Refused("corrupt", why)


def limit(ok, why):
    if not ok:
        raise Refused("over-limit", why)


# --- primitives -------------------------------------------------------------------------------------------------------


class Bytes:
    """A walk over bytes. short is the outcome when they end too early."""

    def __init__(self, b, short="corrupt"):
        self.b, self.at, self.short = b, 0, short

    def left(self):
        return len(self.b) - self.at

    def take(self, n):
        if n > self.left():
            raise Refused(self.short, "%d bytes wanted, %d are left" % (n, self.left()))
        self.at += n
        return self.b[self.at - n:self.at]

    def byte(self):
        return self.take(1)[0]

    def u64(self):
        return struct.unpack("<Q", self.take(8))[0]

    def varint(self):
        value = shift = 0
        while True:
            c = self.byte()
            value |= (c & 0x7F) << shift
            shift += 7
            if c < 0x80:
                corrupt(c or shift == 7, "varint not in its shortest form")
                corrupt(value < 1 << 64 and shift <= 70, "varint of more than 64 bits")
                return value
            corrupt(shift < 70, "varint of more than ten bytes")

    def zigzag(self):
        return unzigzag(self.varint())

    def count(self, most, size):
        n = self.varint()
        limit(n <= most, "%d of something, at most %d" % (n, most))
        corrupt(n <= self.left() // size, "%d of something in %d bytes" % (n, self.left()))
        return n

    def name(self):
        n = self.varint()
        limit(n <= MAX_NAME, "name of %d bytes" % n)
        try:
            return self.take(n).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("corrupt", "name is not UTF-8")

    def column_set(self):
        n = self.varint()
        limit(n <= MAX_COLUMNS // 8, "column set of %d bytes" % n)
        b = self.take(n)
        corrupt(not n or b[-1], "column set ends with a zero byte")
        return [8 * i + bit for i, c in enumerate(b) for bit in range(8) if c >> bit & 1]

    def sequence(self, n):
        out, before = [], None  # before: what the last token was
        while len(out) < n:
            t = self.varint()
            count, repeat = t >> 1, t & 1
            corrupt(0 < count <= n - len(out), "run of %d numbers" % count)
            if repeat:
                v = self.varint()
                corrupt(count >= 4 and (not out or out[-1] != v), "repeat not in its shortest form")
                out += [v] * count
            else:
                corrupt(before != "list" and count <= self.left(), "list after a list, or longer than what is left")
                for i in range(count):
                    v = self.varint()
                    corrupt(i or not out or out[-1] != v, "list that goes on with the number of a repeat")
                    corrupt(i < 3 or out[-3:] != [v] * 3, "four equal numbers in a list")
                    out.append(v)
            before = "repeat" if repeat else "list"
        return out

    def differences(self, n, least, most):
        out, v = [], 0
        for u in self.sequence(n):
            v += unzigzag(u)
            corrupt(least <= v <= most, "version or time %d" % v)
            out.append(v)
        return out

    def payload(self, kind):
        if kind == 0:
            return ("null", None)
        if kind == 1:
            return ("int", self.zigzag())
        if kind == 2:
            return ("real", self.u64())
        corrupt(kind <= 4, "value of kind %d" % kind)
        return ("text" if kind == 3 else "blob", self.take(self.varint()))

    def end(self):
        corrupt(not self.left(), "%d bytes too many" % self.left())


def unzigzag(u):
    return u >> 1 if not u & 1 else -(u >> 1) - 1


CRC = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    CRC.append(n)


def crc32c(b):
    c = 0xFFFFFFFF
    for x in b:
        c = CRC[(c ^ x) & 0xFF] ^ c >> 8
    return c ^ 0xFFFFFFFF


# --- packages ---------------------------------------------------------------------------------------------------------


def read_package(b):
    if b[:4] != b"TRIB"[:len(b)]:
        raise Refused("corrupt", "not a package")
    if len(b) < 5:
        raise Refused("truncated", "no format version")
    if b[4] != 1:
        raise Refused("unsupported", "format version %d" % b[4])
    if len(b) < 9:
        raise Refused("truncated", "no length")
    size = struct.unpack("<I", b[5:9])[0]
    limit(size <= MAX_BYTES, "%d bytes" % size)
    if size > len(b):
        raise Refused("truncated", "%d bytes of %d" % (len(b), size))
    corrupt(size == len(b) and size >= 13, "%d bytes where %d are declared" % (len(b), size))
    corrupt(struct.unpack("<I", b[-4:])[0] == crc32c(b[:-4]), "checksum")
    r = Bytes(b[:-4])
    r.at = 9
    p, sites = read_header(r)
    encoding, plain = r.byte(), r.varint()
    limit(plain <= MAX_BYTES, "body of %d bytes" % plain)
    body = r.take(r.left())
    vouching = len(body)
    if encoding == 1:
        corrupt(plain > 256 and len(body) < plain - plain // 16, "compression does not pay")
        limit(plain <= (1 << 22) + 256 * len(body), "%d bytes hold %d" % (len(body), plain))
        vouching = min(plain, 4 * len(body))
        body = decompress(body, plain)
    elif encoding:
        raise Refused("unsupported", "compression %d" % encoding)
    corrupt(len(body) == plain, "%d bytes where %d are declared" % (len(body), plain))
    used = {c["site"] for c in p["covers"]} | set(p["needs"]) | set(p["before"])
    read_body(Bytes(body), p, sites, used, vouching)
    corrupt(used == set(sites), "a site in the dictionary is not used")
    return p


def decompress(b, plain):
    if not zstd:
        raise Skip("no zstd in this Python")
    try:
        d = zstd.ZstdDecompressor()
        out = d.decompress(b, max_length=plain + 1)
        corrupt(d.eof, "frame is cut or holds more than is declared")
        return out
    except zstd.ZstdError as e:
        raise Refused("corrupt", str(e))


def read_header(r):
    flags = r.byte()
    if flags & ~0x3F:
        raise Refused("unsupported", "flags %#x" % flags)
    p = {"flags": flags, "sender": r.take(16).hex(), "scope": r.u64(), "sent": r.u64(), "covers": [], "needs": {}, "before": {}, "tables": [], "rows": []}
    p["since"], interval, p["part"] = r.varint(), r.varint(), r.varint()
    p["until"] = p["since"] + interval
    check_numbers(p)

    sites = [r.take(16).hex() for _ in range(r.count(MAX_SITES, 16))]
    corrupt(all(a < b for a, b in zip(sites, sites[1:])), "sites not ascending")

    def site():
        i = r.varint()
        corrupt(i < len(sites), "site %d of %d" % (i, len(sites)))
        return sites[i]

    for _ in range(r.count(MAX_COVERS, 19)):
        c = {"site": site(), "from": r.varint()}
        c["to"] = c["from"] + r.varint()
        c["prev"], c["id"] = r.take(8).hex(), r.take(8).hex()
        c["forgotten"] = 0
        if flags & FORGETS:
            forgets = r.varint()
            c["forgotten"] = c["from"] + forgets - 1 if forgets else 0
        p["covers"].append(c)
    check_covers(p["covers"])
    corrupt(bool(flags & FORGETS) == any(c["forgotten"] for c in p["covers"]), "the flag of forgotten deletes, and none")
    p["needs"] = read_vector(r, site)
    if flags & BEFORE:
        p["before"] = read_vector(r, site)
    check_before(p)
    for _ in range(r.count(MAX_TABLES, 3)):
        t = {"name": r.name()}
        for part in ("key", "columns"):
            t[part] = [r.name() for _ in range(r.count(MAX_COLUMNS, 1))]
        p["tables"].append(t)
    check_tables(p["tables"])
    return p, sites


def read_vector(r, site):
    v, last = {}, ""
    for _ in range(r.count(MAX_SITES, 2)):
        s, version = site(), r.varint()
        corrupt(s > last and 1 <= version <= MAX_VERSION, "sites not ascending, or without a version")
        v[s], last = version, s
    return v


def check_before(p):
    corrupt(bool(p["flags"] & BEFORE) == bool(p["before"]), "the flag that something lies before it, and nothing")
    corrupt(not (p["before"] and p["flags"] & STARTS), "it starts a set, and something lies before it")


def check_numbers(p):
    corrupt(0 <= p["since"] <= p["until"] <= MAX_TIME and p["part"] < 1 << 31 and p["sent"] <= MAX_TIME, "interval, part or time")


def check_covers(covers):
    last = ("", 0)
    for c in covers:
        corrupt(1 <= c["from"] <= c["to"] <= MAX_VERSION, "cover without versions")
        corrupt((c["site"], c["from"]) > last, "covers overlap or do not ascend")
        corrupt(c["forgotten"] == 0 or c["from"] <= c["forgotten"] <= c["to"], "deletes of other versions than it covers are forgotten")
        last = (c["site"], c["to"])


def check_tables(tables):
    seen = set()
    for t in tables:
        names = t["key"] + t["columns"]
        corrupt(t["key"] and len(set(names)) == len(names), "table without a key, or a column twice")
        identity = (t["name"], tuple(t["key"]), tuple(t["columns"]))
        corrupt(identity not in seen, "table twice")
        seen.add(identity)


class Weight:
    def __init__(self, size):
        self.have, self.most = 0, MAX_CELLS + 16 * size

    def bear(self, n):
        self.have += n
        limit(self.have <= self.most, "weighs %d" % self.have)


def read_body(r, p, sites, used, vouching):
    weight, total, counts = Weight(vouching), 0, []
    for t in p["tables"]:
        n = r.varint()
        total += n
        limit(total <= MAX_ROWS, "%d rows" % total)
        weight.bear(n * (3 + len(t["key"])))
        counts.append(n)
    for i, n in enumerate(counts):
        if n:
            p["rows"] += read_block(r, i, p["tables"][i], n, sites, used, weight)
    r.end()


def read_block(r, index, table, n, sites, used, weight):
    columns = len(table["columns"])
    numbers = r.sequence(n)
    most = 0
    for s in numbers:
        corrupt(s <= most, "shape %d before shape %d" % (s, most))
        most = max(most, s + 1)
    shapes, seen = [], set()
    for _ in range(most):
        start = r.at
        shapes.append(read_shape(r, columns, len(sites)))
        corrupt(r.b[start:r.at] not in seen, "a shape twice")
        seen.add(r.b[start:r.at])
    for s in numbers:  # before anything is made of them
        lives = shapes[s]["lives"]
        bounds = sum(max(life["has"]) + 1 if life["has"] else 0 for life in lives)
        weight.bear(3 * len(lives) + 2 * sum(len(life["groups"]) for life in lives) + shapes[s]["deletes"] + bounds)

    rows, all_lives, all_groups = [], [], []
    for s in numbers:
        row = {"table": index, "key": [], "deleted": [None] * shapes[s]["deletes"], "deleter": None, "lives": []}
        for life in shapes[s]["lives"]:
            groups = [{"columns": g} for g in life["groups"]]
            row["lives"].append({"full": life["full"], "has": life["has"], "groups": groups, "values": {}})
            all_groups += groups
        all_lives += row["lives"]
        rows.append(row)

    def read_sites(count):
        out = []
        for i in r.sequence(count):
            corrupt(i < len(sites), "site %d of %d" % (i, len(sites)))
            used.add(sites[i])
            out.append(sites[i])
        return out

    def stamps(count):  # a stamp is (time, site, version), in the order in which stamps compare
        if not count:
            return []
        s, v, t = read_sites(count), r.differences(count, 1, MAX_VERSION), r.differences(count, 0, MAX_TIME)
        return list(zip(t, s, v))

    for life, stamp in zip(all_lives, stamps(len(all_lives))):
        life["birth"] = stamp
    for group, stamp in zip(all_groups, stamps(len(all_groups))):
        group["at"] = stamp
    deletes = sum(len(row["deleted"]) for row in rows)
    dots = iter(list(zip(read_sites(deletes), r.differences(deletes, 1, MAX_VERSION))))
    for row in rows:
        row["deleted"] = [next(dots) for _ in row["deleted"]]
    with_deleter = [row for row, s in zip(rows, numbers) if shapes[s]["deleter"]]
    for row, stamp in zip(with_deleter, stamps(len(with_deleter))):
        row["deleter"] = stamp

    def column(count):
        kinds = r.sequence(count)
        corrupt(all(k <= 4 for k in kinds), "kind above 4")
        return [r.payload(k) for k in kinds]

    for _ in table["key"]:
        for row, v in zip(rows, column(n)):
            row["key"].append(v)
    for c in range(columns):
        bring = [life for life in all_lives if c in life["has"]]
        for life, v in zip(bring, column(len(bring)) if bring else []):
            life["values"][c] = v
    for row in rows:
        check_row(row)
    return rows


def read_shape(r, columns, sites):
    bits = r.varint()
    lives = r.count(MAX_ROWS, 1)
    deletes, deleter = bits >> 1, bits & 1
    corrupt(deletes <= sites, "deletes of %d sites of %d" % (deletes, sites))
    corrupt(deletes or lives and not deleter, "neither lives nor deletes, or a deleter alone")
    shape = {"deletes": deletes, "deleter": deleter, "lives": []}
    for _ in range(lives):
        bits = r.varint()
        corrupt(bits >> 1 <= columns, "%d groups of %d columns" % (bits >> 1, columns))
        groups = [r.column_set() for _ in range(bits >> 1)]
        corrupt(all(g and g[-1] < columns for g in groups), "a group of no columns, or of unknown ones")
        grouped = [c for g in groups for c in g]
        shape["lives"].append({"full": bool(bits & 1), "groups": groups, "has": set(range(columns)) if bits & 1 else set(grouped)})
    return shape


def check_row(row):
    corrupt(row["deleted"] or row["lives"], "neither lives nor deletes")
    corrupt(row["deleted"] or not row["deleter"], "deleter without a delete")
    corrupt(ascending([s for s, _ in row["deleted"]]), "deletes not ascending")
    births = [life["birth"] for life in row["lives"]]
    corrupt(ascending(births), "lives not ascending")
    corrupt(len({dot(b) for b in births}) == len(births), "two lives of one birth")
    for life in row["lives"]:
        corrupt(not covered(row["deleted"], dot(life["birth"])), "a life that is deleted")
        grouped = [c for g in life["groups"] for c in g["columns"]]
        corrupt(len(set(grouped)) == len(grouped), "groups overlap")
        corrupt(ascending([life["birth"]] + [g["at"] for g in life["groups"]]), "groups not newer than what is before them")
        corrupt(life["full"] or grouped, "a life that brings nothing")


def ascending(list_):
    return all(a < b for a, b in zip(list_, list_[1:]))


def dot(stamp):
    return (stamp[1], stamp[2])


def covered(deleted, d):
    return any(s == d[0] and v >= d[1] for s, v in deleted)


# --- the JSON form ----------------------------------------------------------------------------------------------------


def read_json(text):
    try:
        j = json.loads(text, parse_float=no_fraction)
        if not isinstance(j, dict):
            raise ValueError("not an object")
        if j.get("format", 0) != 1:
            raise Refused("unsupported", "format %r" % j.get("format"))
        return package_of_json(j)
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise Refused("corrupt", str(e))


def no_fraction(s):
    raise ValueError("a number with a fraction: " + s)


def only(o, *fields):
    unknown = set(o) - set(fields)
    if unknown:
        raise ValueError("unknown fields %s" % unknown)


def decimal(s, least=0, most=MAX_TIME):
    if not isinstance(s, str):
        raise TypeError("%r where a string of digits belongs" % s)
    corrupt(least <= int(s) <= most, "number %s" % s)
    return int(s)


def site_of(s):
    corrupt(len(s) == 32, "site %s" % s)
    return bytes.fromhex(s).hex()


def dot_of(s):
    site, _, version = s.partition(":")
    return (site_of(site), decimal(version, 1, MAX_VERSION))


def stamp_of(o):
    only(o, "time", "site", "version")
    return (decimal(o["time"]), site_of(o["site"]), decimal(o["version"], 1, MAX_VERSION))


def value_of(v):
    if v is None:
        return ("null", None)
    if isinstance(v, bool):
        raise ValueError("true and false are no values")
    if isinstance(v, int):
        return ("int", v)
    if isinstance(v, str):
        return ("text", v.encode())
    (tag, s), = v.items()
    if tag == "int":
        return ("int", int(s))
    if tag == "real":
        if s.startswith("nan:"):
            return ("real", int(s[4:], 16))
        return ("real", struct.unpack("<Q", struct.pack("<d", float.fromhex(s)))[0])
    if tag in ("text", "blob"):
        return (tag, base64.b64decode(s, validate=True))
    raise ValueError("unknown tag " + tag)


def package_of_json(j):
    only(j, "format", "starts", "ends", "bulk", "local_only", "sender", "scope", "since", "until", "part", "sent", "covers", "needs", "before", "tables", "rows")
    flags = sum(1 << i for i, f in enumerate(("starts", "ends", "bulk", "local_only")) if j.get(f))
    p = {"flags": flags, "sender": site_of(j["sender"]), "scope": decimal(j["scope"], most=(1 << 64) - 1), "sent": decimal(j["sent"]),
         "since": decimal(j["since"]), "until": decimal(j["until"]), "part": j["part"], "covers": [], "tables": [], "rows": [],
         "needs": {site_of(s): v for s, v in sorted(j.get("needs", {}).items())},
         "before": {site_of(s): v for s, v in sorted(j.get("before", {}).items())}}
    p["flags"] |= BEFORE if p["before"] else 0
    check_numbers(p)
    check_before(p)
    for c in j.get("covers", []):
        only(c, "site", "from", "to", "prev", "id", "forgotten")
        forgotten = decimal(c.get("forgotten", "0"))
        p["covers"].append({"site": site_of(c["site"]), "from": decimal(c["from"]), "to": decimal(c["to"]), "prev": c["prev"], "id": c["id"], "forgotten": forgotten})
        p["flags"] |= FORGETS if forgotten else 0
    check_covers(p["covers"])
    for t in j.get("tables", []):
        only(t, "name", "key", "columns")
        p["tables"].append({"name": t["name"], "key": t["key"], "columns": t.get("columns", [])})
    check_tables(p["tables"])
    for o in j.get("rows", []):
        only(o, "table", "key", "deleted", "deleter", "lives")
        table = p["tables"][o["table"]] if 0 <= o["table"] < len(p["tables"]) else corrupt(False, "row of an unknown table")
        row = {"table": o["table"], "key": [value_of(v) for v in o["key"]], "deleted": [dot_of(d) for d in o.get("deleted", [])],
               "deleter": stamp_of(o["deleter"]) if "deleter" in o else None, "lives": []}
        corrupt(len(row["key"]) == len(table["key"]), "wrong number of key values")
        for life in o.get("lives", []):
            only(life, "full", "birth", "newer", "values")
            groups = []
            for g in life.get("newer", []):
                only(g, "columns", "write")
                groups.append({"columns": sorted(g["columns"]), "at": stamp_of(g["write"])})
            grouped = [c for g in groups for c in g["columns"]]
            full = life.get("full", False)
            has = list(range(len(table["columns"]))) if full else sorted(grouped)
            corrupt(all(0 <= c < len(table["columns"]) for c in grouped), "unknown column")
            values = [value_of(v) for v in life.get("values", [])]
            corrupt(len(values) == len(has), "%d values of %d columns" % (len(values), len(has)))
            row["lives"].append({"full": full, "birth": stamp_of(life["birth"]), "groups": groups, "has": set(has), "values": dict(zip(has, values))})
        check_row(row)
        p["rows"].append(row)
    return p


# --- merging ----------------------------------------------------------------------------------------------------------


def value_order(v):
    """NULL, numbers by exact value, TEXT, BLOB; of equal numbers the INTEGER first, then by bits."""
    kind, x = v
    if kind == "null":
        return (0,)
    if kind == "int":
        return (1, 1, x, 0)
    if kind == "real":
        f = struct.unpack("<d", struct.pack("<Q", x))[0]
        signed = x - (1 << 64) if x >> 63 else x
        return (1, 0, 0, signed) if f != f else (1, 1, f, 1, signed)
    return (2 if kind == "text" else 3, x)


class Row:
    def __init__(self):
        self.deleted, self.lives = {}, {}  # site -> version; dot -> {birth, writes: column -> stamp, values}

    def dead(self, d):
        return self.deleted.get(d[0], 0) >= d[1]

    def merge(self, change):
        new = dict(change["deleted"])
        for life in change["lives"]:
            d = dot(life["birth"])
            if not life["full"] and d not in self.lives and not self.dead(d) and new.get(d[0], 0) < d[1]:
                raise Refused("missing-birth", "insert %s:%d has not come" % d, self.text())
        for s, v in new.items():
            self.deleted[s] = max(self.deleted.get(s, 0), v)
        self.lives = {d: life for d, life in self.lives.items() if not self.dead(d)}
        for life in change["lives"]:
            d = dot(life["birth"])
            if self.dead(d):
                continue
            mine = self.lives.setdefault(d, {"birth": life["birth"], "cells": {}})
            stamps = {c: life["birth"] for c in life["has"]}
            stamps.update({c: g["at"] for g in life["groups"] for c in g["columns"]})
            for c in life["has"]:
                theirs = (stamps[c], value_order(life["values"][c]), life["values"][c])
                if c not in mine["cells"] or mine["cells"][c][:2] < theirs[:2]:
                    mine["cells"][c] = theirs

    def text(self):
        out = ["  deleted %s:%d" % d for d in sorted(self.deleted.items())]
        shown = None
        for life in sorted(self.lives.values(), key=lambda life: life["birth"]):
            groups = {}
            for c, cell in sorted(life["cells"].items()):
                if cell[0] != life["birth"]:
                    groups.setdefault(cell[0], []).append(c)
            out += life_text("life", life["birth"], [{"at": s, "columns": groups[s]} for s in sorted(groups)], {c: cell[2] for c, cell in life["cells"].items()})
            newest = max([life["birth"]] + list(groups))
            if shown is None or newest >= shown[0]:
                shown = (newest, dot(life["birth"]))
        out.append("shows %s:%d" % shown[1] if shown else "shows nothing")
        return "\n".join(out) + "\n"


# --- texts ------------------------------------------------------------------------------------------------------------


def quoted(b):
    return "'" + "".join(chr(c) if 0x20 <= c <= 0x7E and c not in b"'\\" else "\\%02x" % c for c in b) + "'"


def value_text(v):
    kind, x = v
    return {"null": lambda: "null", "int": lambda: str(x), "real": lambda: "real:%016x" % x, "text": lambda: quoted(x), "blob": lambda: "blob:" + x.hex()}[kind]()


def stamp_text(s):
    return "%d %s:%d" % s


def names_text(names):
    return "(" + " ".join(quoted(n.encode()) for n in names) + ")"


def life_text(kind, birth, groups, values):
    out = ["  %s %s" % (kind, stamp_text(birth))]
    out += ["    %s at %s" % (",".join(map(str, g["columns"])), stamp_text(g["at"])) for g in groups]
    return out + ["    %d = %s" % (c, value_text(v)) for c, v in sorted(values.items())]


def package_text(p):
    names = ("starts", "ends", "bulk", "local")
    out = [" ".join(["package"] + [f for i, f in enumerate(names) if p["flags"] >> i & 1])]
    out.append("sender %s scope %d sent %d" % (p["sender"], p["scope"], p["sent"]))
    out.append("since %d until %d part %d" % (p["since"], p["until"], p["part"]))
    out += ["cover %s %d-%d %s %s" % (c["site"], c["from"], c["to"], c["prev"], c["id"]) + (" forgotten to %d" % c["forgotten"] if c["forgotten"] else "") for c in p["covers"]]
    out += ["need %s %d" % n for n in p["needs"].items()]
    out += ["before %s %d" % n for n in p["before"].items()]
    out += ["table %s key %s columns %s" % (quoted(t["name"].encode()), names_text(t["key"]), names_text(t["columns"])) for t in p["tables"]]
    for row in p["rows"]:
        out.append(" ".join(["row of %d key" % row["table"]] + [value_text(v) for v in row["key"]]))
        out += ["  deleted %s:%d" % d for d in row["deleted"]]
        if row["deleter"]:
            out.append("  deleter " + stamp_text(row["deleter"]))
        for life in row["lives"]:
            out += life_text("full" if life["full"] else "part", life["birth"], life["groups"], life["values"])
    return "\n".join(out) + "\n"


# --- vectors ----------------------------------------------------------------------------------------------------------


def vector_of(text):
    try:
        m = {site_of(s): v for s, v in json.loads(text, parse_float=no_fraction).items()}
    except (ValueError, AttributeError) as e:
        raise Refused("corrupt", str(e))
    corrupt(all(isinstance(v, int) and v >= 0 for v in m.values()), "a version is a number from 0")
    limit(all(v <= MAX_VERSION for v in m.values()), "version above 2^62")
    return {s: v for s, v in sorted(m.items()) if v}


def covers(a, b):
    return "true" if all(a.get(s, 0) >= v for s, v in b.items()) else "false"


def clock_text(steps):
    last, out = 0, []
    for line in steps.splitlines():
        verb, n = line.split()
        if verb == "tick":
            last = max(min(last + 1, MAX_TIME), max(min(int(n), MAX_TIME >> 16), -(MAX_TIME >> 16) - 1) << 16)
        else:
            last = max(last, int(n))
        out.append("%d = %d ms and %d\n" % (last, last >> 16, last & 0xFFFF))
    return "".join(out)


def judge(kind, parts):
    """The text of an accepted vector; raises Refused for any other."""
    first = parts[0][1]
    if kind == "value":
        r = Bytes(first, "truncated")
        v = r.payload(r.byte())
        r.end()
        return value_text(v) + "\n"
    if kind == "columns":
        r = Bytes(first, "truncated")
        s = r.column_set()
        r.end()
        return ",".join(map(str, s)) + "\n"
    if kind == "package":
        return package_text(read_package(first))
    if kind == "json":
        return package_text(read_json(first))
    if kind == "clock":
        return clock_text(first)
    if kind == "vector":
        a, b = (vector_of(part) for name, part in parts if name in "ab")
        join = {s: max(a.get(s, 0), b.get(s, 0)) for s in sorted({**a, **b})}
        texts = ["%s %s\n" % (n, json.dumps(v, separators=(",", ":"))) for n, v in (("a", a), ("b", b), ("join", join))]
        return "".join(texts) + "a covers b: %s\nb covers a: %s\n" % (covers(a, b), covers(b, a))
    if kind == "merge":
        row = Row()
        for name, part in parts:
            if name == "bytes":
                for change in read_package(part)["rows"]:
                    row.merge(change)
        return row.text()
    raise ValueError("unknown kind " + kind)


def parse(text):
    head, _, body = text.partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines())
    parts = []
    for line in body.splitlines(keepends=True):
        if line.startswith("-- ") and line.endswith(" --\n"):
            parts.append([line[3:-4], ""])
        else:
            parts[-1][1] += line
    return headers, [(name, bytes.fromhex(data) if name == "bytes" else data) for name, data in parts]


def read(path):
    """Outcome and text by this reader, and those that the file gives."""
    with open(path, encoding="utf-8", newline="\n") as f:
        headers, parts = parse(f.read())
    if headers.get("needs") == "zstd" and not zstd:
        raise Skip("needs zstd")
    want = headers["expect"], dict(parts).get("text", "")
    try:
        return ("accept", judge(headers["kind"], parts)), want
    except Refused as e:
        return (e.outcome, e.text), want


def main(args):
    if len(args) == 1 and not os.path.isdir(args[0]) or len(args) > 1:
        for path in args:
            outcome, text = read(path)[0]
            print(outcome + "\n" + text, end="")
        return 0
    top = args[0] if args else os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
    checked, skipped, wrong = 0, [], 0
    for folder, _, names in sorted(os.walk(top)):
        for name in sorted(names):
            path = os.path.join(folder, name)
            try:
                got, want = read(path)
            except Skip:
                skipped.append(os.path.relpath(path, top))
                continue
            checked += 1
            if got != want:
                wrong += 1
                print("%s: got %s\n%swant %s\n%s" % (os.path.relpath(path, top), got[0], got[1], want[0], want[1]))
    for path in skipped:
        print("skipped, needs zstd: " + path)
    print("%d vectors checked, %d skipped, %d wrong" % (checked, len(skipped), wrong))
    return 1 if wrong or not checked else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
