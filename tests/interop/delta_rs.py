"""delta-rs as a server for tests that run in another venv: a line of JSON in, a line of JSON out ({"ok": ...} or {"error": ...}).

    {"rows": TABLE}                      every row, as a list of records
    {"changes": TABLE, "since": V}       the change data feed
    {"files": TABLE}                     number of live files
    {"append": TABLE, "rows": [...], "mode": "append"}     rows by the table's schema
    {"create": TABLE, "rows": [...], "types": {column: arrow type}, "by": [...], "properties": {...}}
    {"do": TABLE, "what": "delete|update|merge|optimize|zorder|vacuum|checkpoint", ...}
"""
import datetime
import decimal
import json
import math
import sys

import deltalake
import pyarrow as pa


def plain(x):
    """A value as records spell it."""
    if isinstance(x, datetime.datetime):
        return x.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat() + "Z" if x.tzinfo else x.isoformat()
    if isinstance(x, datetime.date):
        return x.isoformat()
    if isinstance(x, decimal.Decimal):
        return str(x)
    if isinstance(x, float) and not math.isfinite(x):
        return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    return x


def records(reader):
    return [plain(r) for r in pa.table(reader).to_pylist()]


def rows(table):
    dt = deltalake.DeltaTable(table)
    return records(deltalake.QueryBuilder().register("t", dt).execute("SELECT * FROM t").read_all())


KINDS = {"long": pa.int64(), "integer": pa.int32(), "int": pa.int32(), "string": pa.string(), "double": pa.float64(), "date": pa.date32(), "boolean": pa.bool_(),
         "timestamp": pa.timestamp("us", "UTC"), "timestamp_ntz": pa.timestamp("us"), "decimal(9,2)": pa.decimal128(9, 2)}


def value(kind, x):
    if x is None:
        return None
    if pa.types.is_timestamp(kind):
        return datetime.datetime.fromisoformat(x.replace("Z", "+00:00"))
    if pa.types.is_date(kind):
        return datetime.date.fromisoformat(x)
    if pa.types.is_decimal(kind):
        return decimal.Decimal(str(x)).quantize(decimal.Decimal("0.01"))
    return x


def batch(given, types):
    return pa.table({n: pa.array([value(KINDS[t], r.get(n)) for r in given], KINDS[t]) for n, t in types.items()})


def types_of(dt):
    return {f.name: f.type.type for f in dt.schema().fields}


def work(q):
    if "rows_of" in q:
        return rows(q["rows_of"])
    if "changes" in q:
        return records(deltalake.DeltaTable(q["changes"]).load_cdf(starting_version=q["since"]).read_all())
    if "files" in q:
        return len(deltalake.DeltaTable(q["files"]).file_uris())
    if "create" in q:
        deltalake.write_deltalake(q["create"], batch(q["rows"], q["types"]), partition_by=q.get("by"), configuration=q.get("properties", {}))
        return None
    dt = deltalake.DeltaTable(q.get("append") or q["do"])
    if "append" in q:
        return deltalake.write_deltalake(dt, batch(q["rows"], types_of(dt)), mode=q.get("mode", "append"))
    what = q["what"]
    if what == "delete":
        dt.delete(q["where"])
    elif what == "update":
        dt.update(updates=q["set"], predicate=q["where"])
    elif what == "merge":
        source = batch(q["rows"], types_of(dt))
        dt.merge(source, "t.id = s.id", source_alias="s", target_alias="t").when_matched_update_all().when_not_matched_insert_all().execute()
    elif what == "optimize":
        dt.optimize.compact()
    elif what == "zorder":
        dt.optimize.z_order(q["by"])
    elif what == "vacuum":
        return len(dt.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False))
    elif what == "checkpoint":
        dt.create_checkpoint()
    return None


for line in sys.stdin:
    try:
        answer = {"ok": work(json.loads(line))}
    except Exception as e:
        answer = {"error": "%s: %s" % (type(e).__name__, e)}
    print(json.dumps(answer), flush=True)
